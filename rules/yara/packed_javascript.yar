// The packer that rebuilds a script from a list of words and evaluates it; hardly used by honest pages any more.
rule packed_javascript
{
    meta:
        id = "f0ae5734-807b-4083-a16f-22b79c644a3f"
        title = "JavaScript packed and evaluated"
        title_vi = "JavaScript bị nén và thực thi"
        level = "medium"
        technique = "T1027.002"
        tactic = "TA0005"
        author = "Vọng Gác"
        date = "2026-11-25"
        license = "Apache-2.0"
    strings:
        $head = /eval\s{0,4}\(\s{0,4}function\s{0,4}\(\s{0,4}p\s{0,4},\s{0,4}a\s{0,4},\s{0,4}c\s{0,4},\s{0,4}k\s{0,4},\s{0,4}e\s{0,4},\s{0,4}[dr]\s{0,4}\)/ ascii wide
        $list = /\.split\s{0,4}\(\s{0,4}['"]\|['"]\s{0,4}\)/ ascii wide
    condition:
        filesize < 5MB and all of them
}
