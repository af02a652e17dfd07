"""The sentences were written after the detector and its thresholds were chosen: none tuned it."""

from __future__ import annotations

import pytest

from filmcan.components.text.text_processor.language import (
    LANGUAGES,
    MAX_WINDOWS,
    UNKNOWN,
    WINDOW_CHARS,
    find_language,
)

MIN_CONFIDENCE = 0.6

RUSSIAN = (
    "Утренняя зарядка для всей семьи", "Где искать работу в большом городе",
    "Самый вкусный торт без выпечки", "Мы потеряли собаку, помогите найти",
    "Как научиться рисовать акварелью", "Прогулка по ночному Петербургу",
    "Этот фильм стоит посмотреть каждому", "Разговор с учителем о школе",
    "Почему кошки боятся огурцов", "Мой опыт жизни в деревне", "Сравниваем два ноутбука",
    "Лучшая музыка для тренировок", "Что взять с собой в поход", "Не делайте эту ошибку",
    "Ответы на ваши вопросы", "Полный обзор города", "Дети спели песню про маму",
    "Автор, сними ещё одну серию!", "Очень полезно, спасибо большое", "Смотрю уже третий раз",
    "Кто пришёл сюда после новостей?", "Звук плохой, ничего не слышно", "Бабушка печёт пирожки",
    "Зимняя рыбалка на озере", "Учим английский с нуля за десять дней",
)  # fmt: skip
ENGLISH = (
    "Morning workout for the whole family", "Where to look for a job in a big city",
    "The tastiest cake without an oven", "We lost our dog, please help us",
    "How to learn watercolor painting", "A walk through London at night",
    "Everyone should watch this movie", "Talking with a teacher about school",
    "Why cats are afraid of cucumbers", "My life in a small village", "Comparing two laptops",
    "Best music for working out", "What to take on a hike", "Don't make this mistake",
    "Answering your questions", "A full tour of the city", "Kids sang a song about their mom",
    "Please make another episode!", "Very useful, thank you so much",
    "Watching it for the third time", "Who came here after the news?",
    "The sound is bad, I can't hear anything", "Grandma bakes pies", "Ice fishing on the lake",
    "Learning Russian from scratch in ten days",
)  # fmt: skip
OTHERS = (
    ("uk", "Ранкова зарядка для всієї родини"), ("uk", "Чому коти бояться огірків"),
    ("uk", "Ми загубили собаку, допоможіть знайти"), ("uk", "Відповіді на ваші запитання"),
    ("be", "Адказы на вашы пытанні пра жыццё ў вёсцы"), ("bg", "Отговори на вашите въпроси"),
    ("bg", "Защо котките се страхуват от краставици"),
    ("sr", "Зашто се мачке плаше краставаца, објашњава стручњак"),
    ("kk", "Сіздің сұрақтарыңызға жауаптар"), ("de", "Warum Katzen Angst vor Gurken haben"),
    ("de", "Antworten auf eure Fragen"), ("fr", "Pourquoi les chats ont peur des concombres"),
    ("fr", "Réponses à vos questions"), ("es", "Por qué los gatos tienen miedo de los pepinos"),
    ("es", "Respuestas a tus preguntas"), ("it", "Perché i gatti hanno paura dei cetrioli"),
    ("pt", "Por que os gatos têm medo de pepinos"), ("pl", "Dlaczego koty boją się ogórków"),
    ("tr", "Kediler neden salatalıktan korkar"), ("nl", "Waarom katten bang zijn voor komkommers"),
    ("cs", "Proč se kočky bojí okurek"), ("sv", "Varför katter är rädda för gurkor"),
    ("zh", "为什么猫怕黄瓜"), ("ja", "猫はなぜキュウリを怖がるのか"),
    ("ko", "고양이는 왜 오이를 무서워할까"),
    ("ar", "لماذا تخاف القطط من الخيار"), ("he", "למה חתולים מפחדים ממלפפונים"),
    ("hi", "बिल्लियाँ खीरे से क्यों डरती हैं"), ("vi", "Tại sao mèo sợ dưa chuột"),
    ("el", "Γιατί οι γάτες φοβούνται τα αγγούρια"), ("th", "ทำไมแมวกลัวแตงกวา"),
    ("hy", "Ինչու են կատուները վախենում վարունգից"), ("ka", "რატომ ეშინიათ კატებს კიტრის"),
)  # fmt: skip
SPEECHLESS = (
    "", " ", "12345", "😀😀😀", "...", "!!!", "ok", "GTA 5", "a", "я", "ABC 123", "HDR 4K 60FPS",
    "qwxz zzkj", "IMG_0423", "MVI 0042.MOV", "-", "\0\0", "\u200d", "lol", "хм",
)  # fmt: skip


def judge(sentences: tuple[str, ...], code: str) -> tuple[int, int]:
    """Return how many sentences get an answer, and how many of these answers are wrong."""
    found = [find_language(text) for text in sentences]
    answered = [item for item in found if item.confidence >= MIN_CONFIDENCE]
    return len(answered), sum(item.code != code for item in answered)


def test_short_russian_sentences_are_known_or_left_open_but_never_wrong() -> None:
    answered, wrong = judge(RUSSIAN, "ru")
    assert wrong == 0
    assert answered >= 20


def test_short_english_sentences_are_known_or_left_open_but_never_wrong() -> None:
    answered, wrong = judge(ENGLISH, "en")
    assert wrong == 0
    assert answered >= 20


def test_short_sentences_of_other_languages_are_rarely_wrong() -> None:
    found = [(code, find_language(text)) for code, text in OTHERS]
    answered = [(code, item) for code, item in found if item.confidence >= MIN_CONFIDENCE]
    assert len(answered) >= 26
    assert sum(item.code != code for code, item in answered) <= 1


def test_paragraphs_are_certain() -> None:
    assert find_language(". ".join(RUSSIAN)).confidence > 0.99
    found = find_language(". ".join(ENGLISH))
    assert (found.code, found.confidence > 0.99) == ("en", True)


@pytest.mark.parametrize("text", SPEECHLESS)
def test_what_is_no_sentence_has_no_known_language(text: str) -> None:
    assert find_language(text).confidence < MIN_CONFIDENCE


def test_a_text_without_letters_has_no_candidate() -> None:
    assert find_language("123 😀 !!!") == UNKNOWN


def test_of_two_languages_half_and_half_neither_is_known() -> None:
    found = find_language(". ".join(RUSSIAN) * 10 + ". ".join(ENGLISH) * 10)
    assert found.confidence == pytest.approx(0.5, abs=0.1)


def test_the_same_sentence_over_and_over_is_still_known() -> None:
    found = find_language("Подписывайся на канал и ставь лайк! " * 500)
    assert (found.code, found.confidence > 0.9) == ("ru", True)


def test_capitals_change_nothing() -> None:
    assert find_language("ПОЧЕМУ КОШКИ БОЯТСЯ ОГУРЦОВ").code == "ru"
    assert find_language("WHY CATS ARE AFRAID OF CUCUMBERS").code == "en"


def test_a_long_text_is_judged_by_windows_over_its_whole_length() -> None:
    size = WINDOW_CHARS * MAX_WINDOWS
    late = ". ".join(RUSSIAN)
    text = (". ".join(ENGLISH) * 100)[: size * 2] + late * 20
    shares = find_language(text)
    assert shares.code == "ru"
    assert shares.confidence == pytest.approx(0.6, abs=0.2)


def test_the_answerable_languages_are_distinct_two_letter_codes() -> None:
    assert len(set(LANGUAGES)) == len(LANGUAGES)
    assert all(len(code) == 2 for code in LANGUAGES)
