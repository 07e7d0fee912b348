// A short text with several of the phrases that ransom notes share, in English or Vietnamese.
rule ransom_note_phrases
{
    meta:
        id = "1db16293-4127-4107-875f-0fe786d012dd"
        title = "Ransom note"
        title_vi = "Thư đòi tiền chuộc"
        level = "high"
        technique = "T1486"
        tactic = "TA0040"
        author = "Vọng Gác"
        date = "2026-11-25"
        license = "Apache-2.0"
    strings:
        $en_encrypted = /(all |of )?your (important )?(files|data|documents|network|servers)( and [a-z ]{3,30})? (have been|has been|are|were) (encrypted|locked)/ ascii wide nocase
        $en_stolen = /(we|has been|have been) (also )?(downloaded|stolen|exfiltrated|copied)/ ascii wide nocase
        $en_recover = /(recover|restore|decrypt) (all )?(of )?your (files|data|network|documents)/ ascii wide nocase
        $en_rename = /do(n't| not) (try to )?(rename|modify|move|recover|delete)/ ascii wide nocase
        $en_decryptor = /(decryptor|decryption (tool|key|software)|private key)/ ascii wide nocase
        $en_coin = /(bitcoin|monero|btc wallet|xmr)/ ascii wide nocase
        $onion = /[a-z2-7]{16,56}\.onion/ ascii wide nocase
        $tor = /tor ?browser/ ascii wide nocase
        $vi_encrypted = "đã bị mã hóa"
        $vi_pay = "tiền chuộc"
        $vi_files = "tệp của bạn"
    condition:
        filesize < 64KB and ($en_encrypted or $vi_encrypted) and 4 of them
}
