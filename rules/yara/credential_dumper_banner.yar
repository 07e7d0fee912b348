// Texts that a well-known credential dumper prints or is told. Written with classes, so that this file holds none of them whole.
rule credential_dumper_banner
{
    meta:
        id = "1c1ba870-74cc-4af0-8add-24f13bff16a4"
        title = "Banner of a credential dumper"
        title_vi = "Biểu ngữ của công cụ trích mật khẩu"
        level = "critical"
        technique = "T1003.001"
        tactic = "TA0006"
        author = "Vọng Gác"
        date = "2026-11-25"
        license = "Apache-2.0"
    strings:
        $command_logon = /sekurls[a]::logon[p]asswords/ ascii wide nocase
        $command_tickets = /kerberos[:]:(golden|ptt|list \/export)/ ascii wide nocase
        $command_dcsync = /lsadump[:]:(dcsync|sam|lsa|trust)/ ascii wide nocase
        $command_rights = /privilege[:]:debug/ ascii wide nocase
        $banner_motto = /A La [V]ie, A L'[A]mour/ ascii wide
        $banner_author = /gentil[k]iwi/ ascii wide
    condition:
        2 of them
}
