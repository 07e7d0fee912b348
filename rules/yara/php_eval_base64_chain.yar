// PHP that unpacks itself: eval or assert around a chain of decoders, the last one base64.
rule php_eval_base64_chain
{
    meta:
        id = "c6814f4c-4ce8-4437-a722-d42182917426"
        title = "PHP code hidden by encoding and run"
        title_vi = "Mã PHP bị che bằng mã hóa rồi thực thi"
        level = "high"
        technique = "T1027"
        tactic = "TA0005"
        author = "Vọng Gác"
        date = "2026-11-25"
        license = "Apache-2.0"
    strings:
        $chain = /\b(eval|assert)\s{0,8}\(\s{0,8}(@?(gzinflate|gzuncompress|gzdecode|str_rot13|strrev|rawurldecode)\s{0,8}\(\s{0,8}){0,6}@?base64_decode\s{0,8}\(/ nocase
        $create = /\bcreate_function\s{0,8}\(\s{0,8}['"]{2}\s{0,8},\s{0,8}@?base64_decode\s{0,8}\(/ nocase
        $open = "<?" ascii
    condition:
        filesize < 5MB and $open and ($chain or $create)
}
