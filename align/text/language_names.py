"""What languages are called in headers: in English, in themselves, and the large ones in each other."""

from __future__ import annotations

from align.text.languages import three_letters

_OWN = """
afr Afrikaans; amh አማርኛ; ara العربية, عربي; asm অসমীয়া; azj Azərbaycanca, Azərbaycan dili; bel беларуская; bul
български; ben বাংলা; bos bosanski; cat català; ces čeština, česky; cym Cymraeg; dan dansk; deu Deutsch; ell
Ελληνικά, ελληνική; eng English; epo Esperanto; spa español, castellano; est eesti; eus euskara; fas فارسی; fin
suomi; fra français; gle Gaeilge; glg galego; guj ગુજરાતી; heb עברית; hin हिन्दी, हिंदी; hrv hrvatski; hun
magyar; hye հայերեն; ind Bahasa Indonesia; isl íslenska; ita italiano; jpn 日本語; kat ქართული; kaz қазақша,
қазақ тілі; khm ខ្មែរ; kan ಕನ್ನಡ; kor 한국어; kir кыргызча; kmr kurmancî; lao ລາວ; lat Latina; lit lietuvių; lav
latviešu; mkd македонски; mal മലയാളം; mon монгол; mar मराठी; msa Bahasa Melayu; mlt Malti; mya မြန်မာ,
မြန်မာဘာသာ; nob norsk, bokmål; nep नेपाली; nld Nederlands; nno nynorsk; ori ଓଡ଼ିଆ; pan ਪੰਜਾਬੀ; pol polski, język
polski; pus پښتو; por português; ron română, limba română; rus русский, русский язык; sin සිංහල; slk slovenčina,
slovensky; slv slovenščina; som Soomaali; sqi shqip; srp српски, srpski; swe svenska; swa Kiswahili; tam தமிழ்;
tel తెలుగు; tgk тоҷикӣ; tgl Tagalog, Filipino; tha ไทย, ภาษาไทย; tur Türkçe; ukr українська; urd اردو; uzb
o'zbek, oʻzbekcha; vie Tiếng Việt; xho isiXhosa; yid ייִדיש; yor Yorùbá; zho 中文, 汉语, 漢語, 普通话; zul
isiZulu
"""
_OTHERS = """
eng Englisch, anglais, inglés, inglese, inglês, Engels, английский, angielski, İngilizce, 英語, 英语, engelska;
deu German, allemand, alemán, tedesco, alemão, Duits, немецкий, niemiecki, Almanca, ドイツ語, 德语, 德語, tyska;
fra French, Französisch, francés, francese, francês, Frans, французский, francuski, Fransızca, フランス語, 法语,
法語, franska; spa Spanish, Spanisch, espagnol, spagnolo, espanhol, Spaans, испанский, hiszpański, İspanyolca,
スペイン語, 西班牙语, spanska; ita Italian, Italienisch, italien, Italiaans, итальянский, włoski, İtalyanca,
イタリア語, 意大利语, italienska; por Portuguese, Portugiesisch, portugais, portugués, portoghese, Portugees,
португальский, portugalski, Portekizce; nld Dutch, Niederländisch, néerlandais, neerlandés, olandese,
neerlandês, holandês, нидерландский, niderlandzki, nederländska; rus Russian, Russisch, russe, ruso, russo,
rosyjski, Rusça, ロシア語, 俄语, 俄語, ryska; pol Polish, Polnisch, polonais, polaco, polacco, polonês, Pools,
польский, Lehçe, ポーランド語, 波兰语, polska; tur Turkish, Türkisch, turc, turco, Turks, турецкий, turecki,
トルコ語, 土耳其语, turkiska; jpn Japanese, Japanisch, japonais, japonés, giapponese, japonês, Japans, японский,
japoński, Japonca, 日语, 日語, japanska; zho Chinese, Chinesisch, chinois, chino, cinese, chinês, Chinees,
китайский, chiński, Çince, 中国語, 中國語, kinesiska; ara Arabic, Arabisch, arabe, árabe, arabo, арабский,
arabski, Arapça, アラビア語, 阿拉伯语, arabiska; kor Korean, Koreanisch, coréen, coreano, Koreaans, корейский,
koreański, Korece, 韓国語, 韩语, koreanska; hin Hindi, хинди, Hintçe, ヒンディー語, 印地语; ell Greek,
Griechisch, grec, griego, greco, grego, Grieks, греческий, Yunanca; swe Swedish, Schwedisch, suédois, sueco,
svedese, Zweeds, шведский, szwedzki, İsveççe; fas Persian, Farsi; lat Latin, Lateinisch, Latein, latín, latino,
latim, Latijn, латинский, łacina; swa Swahili; nor Norwegian; heb Hebrew; ukr Ukrainian; ces Czech; hun
Hungarian; fin Finnish; dan Danish; ron Romanian; bul Bulgarian; srp Serbian; hrv Croatian; vie Vietnamese; ind
Indonesian; tha Thai; urd Urdu; ben Bengali; tam Tamil; tel Telugu; mar Marathi; msa Malay
"""
NAMES = {
    name.strip().casefold(): code
    for entry in (_OWN + ";" + _OTHERS).split(";")
    for code, _, names in [entry.strip().partition(" ")]
    for name in names.split(",")
}
"""ISO 639-3 codes of languages by what they are called, in lower case."""


def named_language(name: str, *, rare: bool = True) -> str:
    """ISO 639-3 code of a language that is called so in English, in itself or in another large language, or ``""``.

    ``rare`` knows the English names of all languages of ISO 639-3 too, among which are common words (Day, Male, One).

    >>> named_language("Deutsch"), named_language("englisch"), named_language("Punjabi"), named_language("dog")
    ('deu', 'eng', 'pan', '')
    """
    name = " ".join(name.split())
    return NAMES.get(name.casefold(), "") or (three_letters(name) if rare and len(name) > 3 else "")
