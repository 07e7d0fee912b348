// A script for web servers that hands a field of the request straight to the shell of the operating system.
rule web_shell_command_call
{
    meta:
        id = "06803942-27e9-4242-b35e-016ec4735cf4"
        title = "Web shell that runs what a request says"
        title_vi = "Web shell chạy lệnh từ yêu cầu web"
        level = "high"
        technique = "T1505.003"
        tactic = "TA0003"
        author = "Vọng Gác"
        date = "2026-11-25"
        license = "Apache-2.0"
    strings:
        $php = /\b(system|passthru|shell_exec|popen|proc_open|exec)\s{0,8}\(\s{0,8}@?\$_(GET|POST|REQUEST|COOKIE|SERVER)\s{0,8}\[/ nocase
        $jsp = /getRuntime\s{0,4}\(\s{0,4}\)\s{0,4}\.\s{0,4}exec\s{0,4}\(\s{0,4}request\s{0,4}\.\s{0,4}getParameter\s{0,4}\(/
        $asp = /\b(wscript\.shell|cmd\.exe)\b.{0,400}\brequest\s{0,4}(\.\s{0,4}(form|querystring|item)\s{0,4})?[\(\[]/ nocase
        $open = /<(\?php|\?=|%)/ nocase
    condition:
        filesize < 2MB and $open and 1 of ($php, $jsp, $asp)
}
