from __future__ import annotations

import math

import pytest

from filmcan.components.text.text_processor.readability import (
    MIN_WORDS,
    count_syllables,
    score_ease,
    score_grade,
)
from filmcan.components.text.text_processor.tokens import (
    build_tokens,
    clean_text,
    count_sentences,
)

# Syllables counted by hand after the divisions of a dictionary of American English.
FREQUENT = """
the 1 of 1 and 1 to 1 in 1 is 1 you 1 that 1 was 1 for 1 on 1 are 1 with 1 his 1 they 1 at 1 be 1
this 1 have 1 from 1 or 1 one 1 had 1 by 1 word 1 but 1 not 1 what 1 all 1 were 1 when 1 your 1
can 1 said 1 there 1 use 1 an 1 each 1 which 1 she 1 do 1 how 1 their 1 if 1 will 1 up 1 other 2
about 2 out 1 many 2 then 1 them 1 these 1 so 1 some 1 her 1 would 1 make 1 like 1 him 1 into 2
time 1 has 1 look 1 two 1 more 1 write 1 go 1 see 1 number 2 no 1 way 1 could 1 people 2 my 1
than 1 first 1 water 2 been 1 call 1 who 1 oil 1 its 1 now 1 find 1 long 1 down 1 day 1 did 1
get 1 come 1 made 1 may 1 part 1 over 2 new 1 sound 1 take 1 only 2 little 2 work 1 know 1 place 1
year 1 live 1 me 1 back 1 give 1 most 1 very 2 after 2 thing 1 our 1 just 1 name 1 good 1
sentence 2 man 1 think 1 say 1 great 1 where 1 help 1 through 1 much 1 before 2 line 1 right 1
too 1 mean 1 old 1 any 2 same 1 tell 1 boy 1 follow 2 came 1 want 1 show 1 also 2 around 2 form 1
three 1 small 1 set 1 put 1 end 1 does 1 another 3 well 1 large 1 must 1 big 1 even 2 such 1
because 2 turn 1 here 1 why 1 ask 1 went 1 men 1 read 1 need 1 land 1 different 3 home 1 us 1
move 1 try 1 kind 1 hand 1 picture 2 again 2 change 1 off 1 play 1 spell 1 air 1 away 2 animal 3
house 1 point 1 page 1 letter 2 mother 2 answer 2 found 1 study 2 still 1 learn 1 should 1
america 4 world 1
"""
HARD = """
beautiful 3 wanted 2 jumped 1 needed 2 called 1 handled 2 tables 2 makes 1 boxes 2 places 2 pages 2
houses 2 changes 2 lovely 2 careful 2 movement 2 statement 2 something 2 everything 3 everyone 3
someone 2 area 3 idea 3 media 3 radio 3 video 3 period 3 serious 3 various 3 delicious 3 precious 2
nation 2 station 2 education 4 special 2 social 2 million 2 opinion 3 union 2 familiar 3 actual 3
usually 4 language 2 continue 3 society 4 variety 4 science 2 quiet 2 patient 2 ancient 2 friend 1
experience 4 audience 3 doing 2 seeing 2 playing 2 studying 3 flying 2 easier 3 happiest 3 beyond 2
player 2 royal 2 power 2 flower 2 hour 1 fire 1 realism 4 rhythm 2 didn't 2 couldn't 2 isn't 2
don't 1 can't 1 you're 1 it's 1 computer 3 technology 4 university 5 information 4 government 3
together 3 family 3 company 3 yesterday 3 tomorrow 3 young 1 monkey 2 mystery 3 bicycle 3 type 1
recipe 3 create 2 creature 2 reaction 3 theater 3 poem 2 fuel 2 graduate 3 appreciate 4 influence 3
question 2 unique 2 league 1 guide 1 build 1 quality 3 persuade 2 australian 3 reptilian 3
subscribe 2 tutorial 4 gameplay 2 episode 3 season 2 smartphone 2 camera 3 developer 4 challenge 2
subscribers 3 edited 3 exercises 4 recommended 4 released 2 advice 2 while 1 apple 2 gentle 2
available 4 comfortable 4 piano 3 museum 3 biology 4 geography 4 violence 3 client 2 riot 2 giant 2
trial 2 material 4 behavior 3 senior 2 indian 3 russian 2 musician 3 conscious 2 religious 3
courageous 3 gorgeous 2 simultaneous 5 spontaneous 4 dangerous 3 machine 2 knowledge 2 surprised 2
believe 2 famous 2 mountain 2 chocolate 3 vegetables 4 celebrate 3 decided 3 friendly 2 absolutely 4
immediately 5 completely 3 basement 2 argument 3 homeless 2 awareness 3 memory 3 strategy 3 heroes 2
cooperate 4 coffee 2 employee 3 agreed 2 vacuum 3 stadium 3 obvious 3 curious 3 fashion 2 decision 3
champion 3 artificial 4 bacteria 4 efficient 3 ingredient 4 anxiety 4 carrier 3 funnier 3 piece 1
interview 3 value 2 rescue 2 argue 2 dialogue 3 antique 2 tongue 1 guitar 2 penguin 2 square 1
situation 4 evaluation 5 ambiguous 4 finished 2 settled 2 candles 2 vehicle 3 responsible 4 lawyer 2
symbol 2 psychology 4 headphones 2 timeline 2 uploaded 3 fireworks 2 forever 3 atmosphere 3
adventure 3 temperature 4 literature 4 genius 2
"""
ADDRESS = """
Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived
in Liberty, and dedicated to the proposition that all men are created equal. Now we are engaged in
a great civil war, testing whether that nation, or any nation so conceived and so dedicated, can
long endure. We are met on a great battle-field of that war. We have come to dedicate a portion of
that field, as a final resting place for those who here gave their lives that that nation might
live. It is altogether fitting and proper that we should do this. But, in a larger sense, we can
not dedicate -- we can not consecrate -- we can not hallow -- this ground. The brave men, living
and dead, who struggled here, have consecrated it, far above our poor power to add or detract. The
world will little note, nor long remember what we say here, but it can never forget what they did
here. It is for us the living, rather, to be dedicated here to the unfinished work which they who
fought here have thus far so nobly advanced. It is rather for us to be here dedicated to the great
task remaining before us -- that from these honored dead we take increased devotion to that cause
for which they gave the last full measure of devotion -- that we here highly resolve that these
dead shall not have died in vain -- that this nation, under God, shall have a new birth of freedom
-- and that government of the people, by the people, for the people, shall not perish from the
earth.
"""


def read_list(text: str) -> list[tuple[str, int]]:
    items = text.split()
    return list(zip(items[::2], map(int, items[1::2]), strict=True))


def test_every_frequent_english_word_has_its_syllables() -> None:
    wrong = [word for word, count in read_list(FREQUENT) if count_syllables(word) != count]
    assert wrong == []


def test_at_least_98_of_100_hard_english_words_have_their_syllables() -> None:
    words = read_list(HARD)
    wrong = [word for word, count in words if count_syllables(word) != count]
    assert len(wrong) <= 0.02 * len(words), wrong


def test_syllables_of_english_words_are_neither_too_many_nor_too_few_in_sum() -> None:
    words = read_list(FREQUENT) + read_list(HARD)
    counted = sum(count_syllables(word) for word, _ in words)
    assert counted == pytest.approx(sum(count for _, count in words), rel=0.005)


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("мама", 2), ("ёлка", 2), ("ЁЖИК", 2), ("я", 1), ("в", 0), ("здравствуйте", 3),
        ("чаепитие", 5), ("объём", 2), ("кто-нибудь", 3), ("взгляд", 1), ("электричество", 5),
    ],
)  # fmt: skip
def test_russian_syllables_are_vowels(word: str, count: int) -> None:
    assert count_syllables(word) == count


@pytest.mark.parametrize("word", ["", "'", "'s", "xyz", "hmm", "123", "漢字", "e", "y", "the's"])
def test_any_other_word_counts_at_least_one_and_never_fails(word: str) -> None:
    assert count_syllables(word) >= 1


def test_the_published_scores_of_the_gettysburg_address_are_met_within_one_point() -> None:
    """271 words in 10 sentences, reading ease 65 and grade 11, as word processors print them."""
    tokens = build_tokens(clean_text(ADDRESS))
    sentences = count_sentences(tokens.running, newline_ends=False)
    syllables = sum(count_syllables(word) for word in tokens.words)
    assert (len(tokens.words), sentences) == (271, 10)
    assert score_ease("en", 271, 10, syllables) == pytest.approx(65, abs=1)
    assert score_grade("en", 271, 10, syllables) == pytest.approx(11, abs=0.5)


def test_the_formulas_give_the_published_example() -> None:
    """13 words, 24 syllables: 37.5 and grade 11.3; scaled to a text long enough for a score."""
    sentence = "The Australian platypus is seemingly a hybrid of a mammal and reptilian creature."
    words = build_tokens(sentence).words
    assert (len(words), sum(count_syllables(word) for word in words)) == (13, 24)
    assert score_ease("en", 130, 10, 240) == pytest.approx(37.5, abs=0.05)
    assert score_grade("en", 130, 10, 240) == pytest.approx(11.3, abs=0.05)


def test_the_russian_formulas_are_those_of_oborneva() -> None:
    assert score_ease("ru", 100, 10, 220) == pytest.approx(206.835 - 1.3 * 10 - 60.1 * 2.2)
    assert score_grade("ru", 100, 10, 220) == pytest.approx(0.5 * 10 + 8.4 * 2.2 - 15.59)


@pytest.mark.parametrize(
    ("language", "words", "sentences"),
    [("de", 100, 10), ("", 100, 10), ("en", MIN_WORDS - 1, 3), ("ru", 100, 0), ("en", 6100, 100)],
)
def test_c6_there_is_no_score_without_prose_of_a_known_language(
    language: str, words: int, sentences: int
) -> None:
    assert math.isnan(score_ease(language, words, sentences, 2 * words))
    assert math.isnan(score_grade(language, words, sentences, 2 * words))


def test_harder_text_scores_lower_and_needs_more_school() -> None:
    for language in ("en", "ru"):
        assert score_ease(language, 100, 10, 150) > score_ease(language, 100, 4, 250)
        assert score_grade(language, 100, 10, 150) < score_grade(language, 100, 4, 250)
