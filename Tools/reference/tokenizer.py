#!/usr/bin/env python3
"""Tokenizes prompts with Hugging Face transformers' CLIPTokenizer and CLIP's full vocabulary, and stores the ids.

    pip install transformers open_clip_torch
    python3 tokenizer.py ../../Tests/DiffusionModelsTests/Fixtures/tokenizer

Writes `merges.txt` (CLIP's 48,894 merge rules; the 49,408 tokens follow from them), `prompts.json` (prompts and their ids without
padding) and `codepoints.json` (digests over every character of Unicode 14). The tokenizers differ in their special tokens:
"sd1" and "sd2" are written as the Stable Diffusion 1.5 and 2.1 checkpoints have them, "plain" has strings only.
"""
import gzip, importlib.util, json, os, random, sys, tempfile, unicodedata

from transformers import CLIPTokenizer

BOS, EOS = "<|startoftext|>", "<|endoftext|>"


def clip_merges():
    """The rules that CLIP uses of the 262,144 in the file, as lines."""
    package = os.path.dirname(importlib.util.find_spec("open_clip").origin)
    with gzip.open(f"{package}/bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8") as file:
        return file.read().split("\n")[1 : 49152 - 256 - 2 + 1]


def vocabulary(merges):
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    symbols = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    tokens = symbols + [s + "</w>" for s in symbols] + [m.replace(" ", "") for m in merges] + [BOS, EOS]
    return {token: i for i, token in enumerate(tokens)}


def tokenizer(merges, normalized, pad):
    """A CLIPTokenizer from a folder in the layout of a checkpoint."""

    def special(text):
        if not normalized:
            return text
        return dict(content=text, lstrip=False, normalized=True, rstrip=False, single_word=False)

    files = {
        "vocab.json": vocabulary(merges),
        "special_tokens_map.json": dict(bos_token=special(BOS), eos_token=special(EOS), unk_token=special(EOS), pad_token=pad),
        "tokenizer_config.json": dict(model_max_length=77, tokenizer_class="CLIPTokenizer"),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False)
        with open(f"{folder}/merges.txt", "w", encoding="utf-8") as file:
            file.write("#version: 0.2\n" + "\n".join(merges) + "\n")
        return CLIPTokenizer.from_pretrained(folder)


PROMPTS = """\
a
a photo of an astronaut riding a horse on mars
A red circle on a blue background
a red circle on a blue background, high quality, 4k
masterpiece, best quality, (highly detailed:1.2), [blurry], cinematic lighting --ar 16:9
portrait of a woman by Greg Rutkowski and Alphonse Mucha, trending on ArtStation
An oil painting of a cat, in the style of Vincent van Gogh
the quick brown fox jumps over the lazy dog
THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG
antidisestablishmentarianism
pneumonoultramicroscopicsilicovolcanoconiosis
Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft
don't can't it's I'm you're we've they'll he'd
DON'T CAN'T IT'S I'M YOU'RE WE'VE THEY'LL HE'D
don’t can’t it’s
'sting 'tis 'm 'reason 'verse 'llama 'dog
rock 'n' roll
'''s '''
's't're've'm'll'd
o'clock O'Brien l'été
"quoted" 'single' `code`
12345 1.5 3,141,592 1e10 0x1F
½ ¼ Ⅷ ② ² ³ ٣ ४ 五 𝟘𝟙𝟚
room101 4x4 3D 2nd b2b
100% $5 €10 £20 ¥30 #1 @home & co.
C++ C# .NET a/b a\\b a|b ~x ^y {z} [w] <v>
snake_case kebab-case camelCase UPPER_CASE
... … .... --- –— !!! ??? !? ?!
! !! !!! a! !a a!b ! ! wow!wow
hello, world!
!important
!'s !<|endoftext|>!
https://example.com/path?query=a%20b&x=1#frag
user@example.com
C:\\Program Files\\x.txt
<b>bold</b> &amp; &lt;tag&gt;
a<|endoftext|>b
a <|endoftext|> b
<|startoftext|>a<|endoftext|>
<|endoftext|><|endoftext|>
<|ENDOFTEXT|> <|EndOfText|> <|StartOfText|>
x!<|ENDOFTEXT|>!y
<|endoftext <|endoftext| endoftext|> <endoftext> |endoftext|
<|<|endoftext|>|>
<|<|ENDOFTEXT|>|>
</w> a</w> <w>
café naïve façade Ångström Zürich
cafe\u0301 nai\u0308ve fac\u0327ade A\u030angstro\u0308m
\u0301 \u0301a a \u0301 a\u0301\u0327 a\u0327\u0301
\u212b \u2126 \u212a \ufb01 \ufb03 \u00df \u1e9e \u0149
q\u0307\u0323 \u1e0b\u0323 \u0344 \u0340 \u0341 \u0374 \u037e \u0387
\u0f73 \u0f75\u0f73 \u0f81\u0f71 \u0f43 \u0958
İstanbul Iğdır ıslak
ΑΣ ΟΔΥΣΣΕΥΣ Σ σς ΆΝΘΡΩΠΟΣ
Straße STRASSE GROẞ ǅ Ǆ ǆ ŉ ﬁ ﬀ
Привет, мир! ПРИВЕТ
Γειά σου Κόσμε
שלום עולם שָׁלוֹם
مرحبا بالعالم مُحَمَّد
नमस्ते दुनिया किताब
สวัสดีชาวโลก ภาษาไทย
ສະບາຍດີ བོད་སྐད་ မြန်မာ ខ្មែរ
你好，世界！
一只在火星上骑马的宇航员
東京タワーの夜景 カタカナ ひらがな ﾊﾝｶｸ ＦＵＬＬ　ＷＩＤＴＨ
が か\u3099 ガ カ\u3099 ﾞ
안녕하세요 세계
\u1112\u1161\u11ab\u1100\u1173\u11af \uac00\u11a8 \u1100\u1161 \u11a8
한글 한글 \uac01\u11a8
𠀀𠮷 \U0002f800 \U0002fa1d
😀 😃😄 🤔?
👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇯🇵 1️⃣ #️⃣ ❤️ ❤
🧑‍🚀🐎 on 🔴
a😀b 😀a 1😀2
𝓗𝓮𝓵𝓵𝓸 𝕎𝕠𝕣𝕝𝕕 𝔘𝔫𝔦
Ⓗⓔⓛⓛⓞ ⒽⒺ ℌ ™ ® © ℃ №
← → ∞ ≠ ≤ ∑ √ π ± × ÷
☃ ☀ ♥ ♫ ✓ ★ █ ░ │ ┼
\u200b \u200c \u200d \u2060 \ufeff zero\u200bwidth
soft\u00adhyphen \u034f \u061c \u180e x\u180ey
\u202eright to left\u202c \u2066x\u2069
\u0000 a\u0000b \u0001\u0002 \u0007 \u001b[31mred\u001b[0m \u007f
\u0080 \u0085 \u009f a\u0085b
\u001c\u001d\u001e\u001f a\u001cb
a\tb  c\u00a0d\u2003e\u3000f\u2028g\u2029h\u202fi\u205fj\u1680k
\u2000\u2001\u2002 a\u2000b\u2001c
\ufffd \ufffe \uffff \ufdd0 \U0001fffe \U0010ffff
\ue000 \uf8ff \U000f0000 \U00100000
\u0378 \U000e0001 \U000e0041 \u2fe0
\u088f \u0c5c \ua7ce \ua7cf \U00010940 \U00016ea0 \U00016ebb \U00011de0 a\U00011db0b
a\u08d0\u0301 \u0301\u1ac8 a\u1acb\u0326 \u07fd\u0300
\U00016121\U0001611e \U00016d63\U00016d67 \U000113c2\U000113c2 \U00011935\U00011930
\U0001e900\U0001e921 \U00010400\U00010427 \U000118a0 \u13a0\uab70 \u10a0\u1c90
\u1c89 \ua7cb \ua7cc \ua7da \ua7dc \u2c2f
x² y³ H₂O CO₂ E=mc²
a.b.c e.g. i.e. U.S.A. Ph.D.
re-enter co-operate mother-in-law
word,word;word:word.word
(a)(b)((c))[[d]]{{e}}
mixed 東京2024年 v1.5β テスト123abc
ÀÉÎÕÜ àéîõü
\u00aa \u00ba \u02b0 \u3005 \u3007 \u0e46
\u0345 \u1f80 \u1fb3 \u1f88
\u0660\u06f0\u0966 \u3021 \u16ee \u2180
""".split("\n")


def prompts():
    lines = PROMPTS[:-1]
    spaces = [" ", "   ", "\n", "\t \r\n", "\u3000", "\u00a0\u2003", " a", "a ", "  a  b  ", "a\nb", "a\r\nb", "a\n\n\nb"]
    edges = [" ".join(["a"] * n) for n in (73, 74, 75, 76, 77, 150)]
    edges += [" ".join(["a"] * n) + end for n in (73, 74, 75) for end in (" antidisestablishmentarianism", "!", "<|endoftext|>", " ")]
    long = ["a" * n for n in (2, 3, 5, 10, 77, 1000)] + ["!" * n for n in (2, 3, 4, 5, 76, 1000)] + ["9" * 100, "é" * 60]
    long += ["abcdefghijklmnopqrstuvwxyz" * 4, "東京" * 50, "😀" * 30, "a photo of a cat, " * 40, "-" * 64 + "=" * 64, "ab" * 200]
    words = "cat dog house tree river mountain portrait landscape sunset neon cyberpunk watercolor sketch ultra realistic".split()
    mixes = [f"{a} {b}" for a, b in zip(words, words[1:])] + [a.title() + b.upper() for a, b in zip(words, words[2:])]
    letters = [chr(c) for c in range(0x21, 0x7F) if not chr(c).isalnum()]
    pairs = [a + "".join(letters[i::5]) + "s" for i in range(5) for a in ("", "x", "1 ")]
    draw, pieces = random.Random(1), sum((line.split() for line in lines), [])
    random_mixes = [draw.choice(["", " "]).join(draw.choices(pieces, k=draw.randint(2, 12))) for _ in range(60)]
    return [""] + lines + spaces + edges + long + mixes + pairs + random_mixes


def digest(ids, value=0xCBF29CE484222325):
    """FNV-1a over the ids as they are."""
    for i in ids:
        value = ((value ^ i) * 0x100000001B3) % 2**64
    return value


def codepoint_digests(tokenizer):
    """A digest per 4096 characters: each stands inside a word, alone, twice and behind punctuation."""
    result = {}
    for block in range(0, 0x110000, 0x1000):
        characters = [chr(c) for c in range(block, block + 0x1000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
        if characters and (characters[0] < "\u3400" or "\ua000" <= characters[0] < "\uac00" or "\uf000" <= characters[0] < "\U00020000"):
            ids = tokenizer([f"a{c}1{c}{c}.{c}" for c in characters], add_special_tokens=False).input_ids
            result[block] = str(digest(i for row in ids for i in row))
    return result


def main(folder):
    merges = clip_merges()
    kinds = dict(sd1=tokenizer(merges, True, EOS), sd2=tokenizer(merges, True, "!"), plain=tokenizer(merges, False, EOS))
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/merges.txt", "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + "\n".join(merges) + "\n")
    rows = []
    for prompt in prompts():
        ids = {name: t(prompt, truncation=True, max_length=77).input_ids for name, t in kinds.items()}
        rows.append(json.dumps(dict(prompt=prompt, **ids), separators=(",", ":")))
    with open(f"{folder}/prompts.json", "w") as file:
        file.write("[\n" + ",\n".join(rows) + "\n]\n")
    assert unicodedata.unidata_version == "14.0.0", "the fixture is about the characters of Unicode 14 (Python 3.11)"
    with open(f"{folder}/codepoints.json", "w") as file:
        json.dump(codepoint_digests(kinds["sd1"]), file, indent=0)
    print(len(rows), "prompts")


if __name__ == "__main__":
    main(sys.argv[1])
