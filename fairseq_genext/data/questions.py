"""Writes questions about short stories, each with one exact answer, in the manner of bAbI.

    python -m fairseq_genext.data.questions FOLDER --seed 1

writes train.tsv, valid.tsv and test.tsv: context, question, answer, task and number of facts to
combine, parted by tabs. Nothing is downloaded. Tasks (after Weston et al. 2015,
https://arxiv.org/abs/1502.05698):

- where_is: where is a person? One fact, the last move.
- two_hops: where is a thing? Two facts, who took or dropped it and where that person was.
- counting: how many things does a person hold? All takes and drops of that person, 1 to 4.
- yes_no: is a person or a thing in a place? As the two above; half of the answers are yes.

All tasks have as many questions, and no context stands in two splits. With ``--reasoning-gym
TASK …`` the questions are those of the package reasoning-gym (https://github.com/open-thought/
reasoning-gym), which has no contexts and counts no facts.
"""

import argparse
import random
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path

from fairseq_genext.errors import UsageError, require_positive
from fairseq_genext.files import plain_blanks, read_lines, write_lines

PEOPLE = ("john", "mary", "daniel", "sandra", "peter", "anna")
PLACES = ("kitchen", "garden", "office", "bedroom", "hallway", "cellar")
THINGS = ("apple", "ball", "book", "coin", "lamp", "key")
NUMBERS = ("none", "one", "two", "three", "four")
SHORTEST, LONGEST = 2, 6  # sentences of a story
CAST = 3  # people in a story
MOST_COUNTED = 4  # facts that a question of counting combines
SPLITS = ("train", "valid", "test")
SEPARATOR = "<sep>"  # of prompt and answer, where they stand in one line


@dataclass(frozen=True)
class Question:
    """A question with its answer.

    Attributes:
        context: what is told, which may be empty.
        question: what is asked about it.
        answer: the one right answer.
        task: the kind of question, empty if unknown.
        facts: sentences of the context that must be combined; 0 if unknown.
    """

    context: str
    question: str
    answer: str
    task: str = ""
    facts: int = 0

    @property
    def prompt(self) -> str:
        """Context and question, as models read them."""
        return f"{self.context} {self.question}".strip()


class Story:
    """What a few people do, and what is so at the end; sentences are numbered from 0.

    Attributes:
        sentences: so far.
        moves: person to place and the sentence that says so.
        held: thing to who holds it and the sentence.
        dropped: thing to its place and the sentences that say so.
        handled: person to the sentences in which a thing is taken or dropped.
        named: places and things so far.
    """

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.moves: dict[str, tuple[str, int]] = {}
        self.held: dict[str, tuple[str, int]] = {}
        self.dropped: dict[str, tuple[str, set[int]]] = {}
        self.handled: dict[str, list[int]] = {}
        self.named: set[str] = set()

    def move(self, person: str, place: str) -> None:
        """A person goes to a place."""
        self.moves[person] = place, len(self.sentences)
        self.named.add(place)
        self.sentences.append(f"{person} went to the {place}.")

    def take(self, person: str, thing: str) -> None:
        """A person takes a thing that nobody holds."""
        self.dropped.pop(thing, None)
        self.held[thing] = person, len(self.sentences)
        self.named.add(thing)
        self.handled.setdefault(person, []).append(len(self.sentences))
        self.sentences.append(f"{person} took the {thing}.")

    def drop(self, thing: str) -> None:
        """Whoever holds a thing leaves it."""
        person, _ = self.held.pop(thing)
        if person in self.moves:
            place, known = self.moves[person]
            self.dropped[thing] = place, {known, len(self.sentences)}
        self.handled[person].append(len(self.sentences))
        self.sentences.append(f"{person} dropped the {thing}.")

    def within_reach(self, person: str) -> list[str]:
        """Things that a person can take: those that lie in the same place, or were never seen."""
        place, _ = self.moves.get(person, (None, None))
        lie = {thing for thing, (where, _) in self.dropped.items() if where == place}
        return [thing for thing in THINGS if thing not in self.named or thing in lie]

    def places_of_people(self) -> list[tuple[str, str, int]]:
        """Every person whose place is known, the place, and the number of facts that say so."""
        return [(person, place, 1) for person, (place, _) in self.moves.items()]

    def places_of_things(self) -> list[tuple[str, str, int]]:
        """Every thing whose place is known, the place, and the number of facts that say so."""
        found = [(thing, place, len(facts)) for thing, (place, facts) in self.dropped.items()]
        for thing, (person, _) in self.held.items():
            if person in self.moves:
                found.append((thing, self.moves[person][0], 2))
        return found


def tell(draw: random.Random, moves: float) -> Story:
    """A story at random.

    Args:
        draw: the source of all chances.
        moves: probability that a sentence is a move; of the others a third are drops.
    """
    story, people = Story(), draw.sample(PEOPLE, CAST)
    length = draw.randint(SHORTEST, LONGEST)
    while len(story.sentences) < length:
        person, chance = draw.choice(people), draw.random()
        own = [thing for thing, (holder, _) in story.held.items() if holder == person]
        if chance < moves:
            here, _ = story.moves.get(person, (None, None))
            story.move(person, draw.choice([place for place in PLACES if place != here]))
        elif chance < moves + (1 - moves) / 3 and own:
            story.drop(draw.choice(own))
        elif things := story.within_reach(person):
            story.take(person, draw.choice(things))
    return story


Asked = tuple[str, str, int]  # question, answer, facts


def where_is(draw: random.Random) -> tuple[Story, list[Asked]]:
    """A story, and what can be asked of where its people are."""
    story = tell(draw, moves=0.6)
    asked = story.places_of_people()
    return story, [(f"where is {person}?", place, facts) for person, place, facts in asked]


def two_hops(draw: random.Random) -> tuple[Story, list[Asked]]:
    """A story, and what can be asked of where its things are."""
    story = tell(draw, moves=0.6)
    asked = story.places_of_things()
    return story, [(f"where is the {thing}?", place, facts) for thing, place, facts in asked]


def counting(draw: random.Random) -> tuple[Story, list[Asked]]:
    """A story, and what can be asked of how much its people hold.

    One number of facts is as likely as another.
    """
    wanted = draw.randint(1, MOST_COUNTED)
    while True:
        story = tell(draw, moves=0.25)
        asked = []
        for person, facts in story.handled.items():
            number = sum(holder == person for holder, _ in story.held.values())
            if len(facts) == wanted:
                asked.append((f"how many things does {person} hold?", NUMBERS[number], wanted))
        if asked:
            return story, asked


def yes_no(draw: random.Random) -> tuple[Story, list[Asked]]:
    """A story, and a question of whether something is in a place."""
    story = tell(draw, moves=0.6)
    if draw.random() < 0.5:
        known = story.places_of_people()
    else:
        known = [(f"the {thing}", *rest) for thing, *rest in story.places_of_things()]
    if not known:
        return story, []
    who, place, facts = draw.choice(known)
    others = [other for other in PLACES if other in story.named and other != place]
    if not others:
        return story, []
    yes = draw.random() < 0.5
    where = place if yes else draw.choice(others)
    return story, [(f"is {who} in the {where}?", "yes" if yes else "no", facts)]


TASKS: dict[str, Callable[[random.Random], tuple[Story, list[Asked]]]] = {
    "where_is": where_is, "two_hops": two_hops, "counting": counting, "yes_no": yes_no,
}  # fmt: skip


def generate(seed: int, tasks: list[str]) -> Iterator[Question]:
    """Questions without end, of one task after another, each with a context of its own."""
    draw, told = random.Random(seed), set()
    while True:
        for task in tasks:
            asked: list[Asked] = []
            while not asked:
                story, asked = TASKS[task](draw)
                context = " ".join(story.sentences)
                if context in told:
                    asked = []
            told.add(context)
            question, answer, facts = draw.choice(asked)
            yield Question(context, question, answer, task, facts)


def reasoning_gym_questions(seed: int, tasks: list[str], number: int) -> Iterator[Question]:
    """Questions of reasoning-gym, of one task after another, none twice.

    Args:
        seed: of the package.
        tasks: its names of data sets.
        number: how many are drawn of each task; fewer are distinct.

    Raises:
        UsageError: the package is missing, or has no such task.
    """
    try:
        import reasoning_gym
    except ImportError:
        raise UsageError(
            "reasoning-gym is not installed: pip install reasoning-gym, or leave out "
            "--reasoning-gym"
        ) from None
    try:
        sources = {
            task: iter(reasoning_gym.create_dataset(task, seed=seed, size=number)) for task in tasks
        }
    except ValueError as error:
        raise UsageError(f"--reasoning-gym: {error}") from None
    asked = set()
    for _ in range(number):
        for task, source in sources.items():
            entry = next(source)
            question, answer = (" ".join(str(entry[key]).split()) for key in ("question", "answer"))
            if question and answer and question not in asked:
                asked.add(question)
                yield Question("", question, answer, task)


def write_questions(folder: Path, questions: Iterator[Question], sizes: dict[str, int]) -> None:
    """Writes ``{split}.tsv``, the first of the questions to the first split.

    Raises:
        UsageError: there are not enough questions, or a file cannot be written.
    """
    for split, size in sizes.items():
        rows = list(map(astuple, islice(questions, size)))
        if len(rows) < size:
            raise UsageError(f"{split} has {len(rows)} distinct questions of {size}: ask for fewer")
        write_lines(folder / f"{split}.tsv", ("\t".join(map(str, row)) for row in rows))


def read_questions(path: str | Path) -> list[Question]:
    """Questions of a file: context, question and answer, perhaps task, perhaps number of facts.

    They are parted by tabs, a question a line, without a line of headings.

    Raises:
        UsageError: as ``read_lines``, or a line has other columns, no question or no answer, or the
            word that will part prompt and answer.
    """
    questions = []
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path}, line {number}"
        columns = [plain_blanks(column) for column in line.split("\t")]
        if not 3 <= len(columns) <= 5:
            raise UsageError(
                f"{where} has {len(columns)} columns: write context, question and answer, and "
                "perhaps task and number of facts, parted by tabs"
            )
        if not columns[1] or not columns[2]:
            raise UsageError(f"{where} has no {'answer' if columns[1] else 'question'}")
        if SEPARATOR in line:
            raise UsageError(f"{where} has {SEPARATOR}, which will part prompt and answer")
        facts = columns[4] if len(columns) == 5 else "0"
        if not facts.isascii() or not facts.isdigit() or len(facts) > 9:
            raise UsageError(f"{where}: {facts:.60} is no number of facts")
        context, question, answer, *task = columns[:4]
        questions.append(Question(context, question, answer, *task, facts=int(facts)))
    return questions


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.data.questions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="folder to write")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--reasoning-gym", nargs="+", metavar="TASK", help="of that package")
    parser.add_argument("--train", type=int, default=10000, help="questions of the training set")
    parser.add_argument("--held-out", type=int, default=1000, help="of validation and of test set")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    require_positive(args, "train", "held_out")
    sizes = dict(zip(SPLITS, (args.train, args.held_out, args.held_out), strict=True))
    if args.reasoning_gym:
        number = 2 * sum(sizes.values())  # many repeat themselves
        questions = reasoning_gym_questions(args.seed, args.reasoning_gym, number)
    else:
        questions = generate(args.seed, args.tasks)
    write_questions(args.folder, questions, sizes)
    print(f"{args.folder}: " + ", ".join(f"{size:,} of {split}" for split, size in sizes.items()))


if __name__ == "__main__":
    main()
