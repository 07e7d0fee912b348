// The harmless test file of all virus scanners. Its text stands here in hex: nowhere in this repository does it stand whole.
rule eicar_test_file
{
    meta:
        id = "466c9828-06c6-48a6-83b1-b0c24bed64fa"
        title = "EICAR test file"
        title_vi = "Tệp thử EICAR"
        level = "low"
        technique = "T1204.002"
        tactic = "TA0002"
        author = "Vọng Gác"
        date = "2026-11-25"
        license = "Apache-2.0"
    strings:
        $text = {
            58 35 4F 21 50 25 40 41 50 5B 34 5C 50 5A 58 35 34 28 50 5E 29 37 43 43
            29 37 7D 24 45 49 43 41 52 2D 53 54 41 4E 44 41 52 44 2D 41 4E 54 49 56
            49 52 55 53 2D 54 45 53 54 2D 46 49 4C 45 21 24 48 2B 48 2A
        }
    condition:
        $text at 0 and filesize <= 128
}
