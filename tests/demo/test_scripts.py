from itertools import count

import pytest

from streamtui.config import config_of
from streamtui.config.toml_lines import TomlFile
from streamtui.demo.answers import FAST_TOKENS, LONG_ANSWER, STALL_TOKENS
from streamtui.demo.question import Overrides, Question, Turn
from streamtui.demo.scripts import (
    MODELS,
    CallArguments,
    CallStarted,
    Ending,
    Said,
    Script,
    Thought,
    write_script,
)
from streamtui.demo.tokens import graphemes


def question(
    model: str, prompt: str = "Why is water wet?", *earlier: Turn, **fields: object
) -> Question:
    turns = (*earlier, Turn("user", prompt))
    return Question(**{"model": model, "turns": turns, **fields})  # type: ignore[arg-type]


def answer_text(script: Script) -> str:
    return "".join(step.text for step in script.steps() if isinstance(step, Said))


@pytest.mark.parametrize("model", MODELS)
def test_every_model_says_that_it_is_scripted(model: str) -> None:
    assert f"Scripted by {model}" in answer_text(write_script(question(model)))


@pytest.mark.parametrize("model", MODELS)
def test_every_model_can_be_chosen_by_its_name(model: str) -> None:
    assert config_of(TomlFile(), TomlFile(), {}).endpoint(f"demo/{model}").model == model


@pytest.mark.parametrize("model", MODELS)
def test_the_same_question_gets_the_same_steps(model: str) -> None:
    first, second = (list(write_script(question(model)).steps()) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("model", MODELS)
def test_another_question_gets_another_answer(model: str) -> None:
    scripts = [write_script(question(model, prompt)) for prompt in ("Sing!", "Count!")]
    texts = [answer_text(script) for script in scripts]
    assert texts[0] != texts[1]


def test_the_prompt_is_repeated_only_in_part() -> None:
    text = answer_text(write_script(question("demo/verse", "one two three four five six seven")))
    assert "“one two three four five six…”" in text


def test_a_repeated_prompt_is_not_cut_inside_a_character() -> None:
    family = "👨‍👩‍👧‍👦"
    text = answer_text(write_script(question("demo/verse", family * 60)))
    assert graphemes(text).count(family) == 40
    assert "…" in text


def test_an_empty_prompt_is_not_repeated() -> None:
    assert "you asked" not in answer_text(write_script(question("demo/verse", "  ")))


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("Write me a 1 verse song about sparkling water.", "Oh sparkling water"),
        ("Write me a 1 verse song about goldfish on the moon", "A goldfish packed"),
    ],
)
def test_verses_are_about_what_was_asked_for(prompt: str, word: str) -> None:
    assert word in answer_text(write_script(question("demo/verse", prompt)))


def test_other_prompts_get_different_verses() -> None:
    prompts = (f"Song number {number}" for number in count())
    verses = {
        answer_text(write_script(question("demo/verse", next(prompts)))).partition("\n")[0]
        for _ in range(30)
    }
    assert len(verses) == 3


def test_later_turns_are_counted() -> None:
    earlier = (Turn("user", "Hello"), Turn("assistant", "Hello."))
    text = answer_text(write_script(question("demo/verse", "And again?", *earlier)))
    assert "turn 2 of this conversation" in text


def test_the_page_has_one_of_everything() -> None:
    page = answer_text(write_script(question("demo/markdown")))
    for part in ("# ", "\n   - ", "| 中文 |", "```python", "\n> ", "](https://", "👩‍💻"):
        assert part in page


def test_long_is_hundreds_of_kilobytes_with_a_long_block_of_code() -> None:
    text = answer_text(write_script(question("demo/long")))
    assert LONG_ANSWER <= len(text) < LONG_ANSWER * 1.02
    before, code, after = text.split("```")
    assert before
    assert code.count("\n") > 900
    assert len(after) > len(code)


def test_fast_has_exactly_its_number_of_tokens() -> None:
    script = write_script(question("demo/fast"))
    assert len(list(script.steps())) == script.usage.output == FAST_TOKENS


def test_a_limit_ends_the_answer_and_says_so() -> None:
    script = write_script(question("demo/verse", max_tokens=5))
    assert len(list(script.steps())) == script.usage.output == 5
    assert script.ending is Ending.LENGTH


@pytest.mark.parametrize("model", ["demo/drop", "demo/stall", "demo/error"])
def test_a_limit_that_comes_first_spares_the_fault(model: str) -> None:
    assert write_script(question(model, max_tokens=5)).ending is Ending.LENGTH


def test_a_limit_beyond_the_answer_changes_nothing() -> None:
    assert write_script(question("demo/verse", max_tokens=9_999)).ending is Ending.STOP


def test_a_stop_sequence_ends_the_answer_before_itself() -> None:
    whole = answer_text(write_script(question("demo/verse")))
    later, earlier = whole[90:110], whole[40:60]
    script = write_script(question("demo/verse", stop=(later, earlier)))
    assert answer_text(script) == whole[:40]
    assert script.ending is Ending.STOP


def test_a_stop_sequence_that_never_comes_changes_nothing() -> None:
    script = write_script(question("demo/drop", stop=("no such words",)))
    assert script.ending is Ending.DROP


@pytest.mark.parametrize("tokens", [7, 500])
def test_a_number_of_tokens_asked_for_is_given(tokens: int) -> None:
    asked = question("demo/stall", overrides=Overrides(tokens=tokens))
    script = write_script(asked)
    assert len(list(script.steps())) == tokens
    assert script.ending is Ending.STALL


def test_rate_and_delay_asked_for_are_kept() -> None:
    script = write_script(question("demo/slow", overrides=Overrides(rate=50, delay=0)))
    assert (script.rate, script.delay) == (50, 0)


def test_reasoning_comes_before_the_answer_and_is_counted() -> None:
    script = write_script(question("demo/thinker"))
    kinds = [type(step) for step in script.steps()]
    assert kinds == sorted(kinds, key=[Thought, Said].index)
    assert script.usage.reasoning == kinds.count(Thought) > 50


def test_reasoning_that_cannot_be_carried_still_takes_its_time() -> None:
    thinking = write_script(question("demo/thinker"))
    silent = write_script(question("demo/thinker", can_think=False))
    assert answer_text(silent) == answer_text(thinking)
    assert silent.usage.reasoning == 0
    hidden = thinking.usage.reasoning / thinking.rate
    assert silent.delay == pytest.approx(thinking.delay + hidden)


def test_a_tool_is_called_at_the_end() -> None:
    script = write_script(question("demo/tools"))
    steps = list(script.steps())
    start = next(at for at, step in enumerate(steps) if isinstance(step, CallStarted))
    assert 0 < start < len(steps) - 3
    assert all(isinstance(step, CallArguments) for step in steps[start + 1 :])
    assert script.ending is Ending.TOOL_CALLS


def test_a_tool_that_has_answered_is_not_called_again() -> None:
    turns = (Turn("user", "Weather?"), Turn("assistant", ""), Turn("tool", "21 °C"))
    script = write_script(Question(model="demo/tools", turns=turns))
    assert "The tool says: 21 °C" in answer_text(script)
    assert script.ending is Ending.STOP


def test_stall_says_a_dozen_tokens() -> None:
    assert len(list(write_script(question("demo/stall")).steps())) == STALL_TOKENS
