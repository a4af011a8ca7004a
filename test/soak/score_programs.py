# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random kernels of one attention, as text in the .attn language.

Values stay moderate, so that f32 and f64 agree: what is summed over a width goes through tanh, and where a function jumps
(floor, a comparison) it is given whole numbers or the elements of an input, which both hold exactly.
"""

WIDTHS = [1, 2, 3, 5, 7, 8, 15, 16, 17, 24, 31, 33, 48, 64, 80, 100, 128, 200, 256]
LENGTHS = [1, 2, 3, 5, 15, 16, 17, 23, 24, 25, 47, 63, 64, 65, 100, 130]
LONG = [1023, 1024, 1025, 1100]
# The most products of a pair that the reference takes a second or so for.
WORK = 3_000_000


class Kernel:
    """A kernel: its text, and the sizes of its dynamic dimensions."""

    def __init__(self, random):
        self.random = random
        self.choose_sizes()
        self.inputs = {}
        self.depth_of_names = 0
        self.pairs = random.choice([1, 1, 1, 2, 3])
        self.widths = [random.choice(WIDTHS) for _ in range(self.pairs)]
        self.shrink()
        self.program = self.write_program()
        self.arguments = self.write_arguments()

    def choose_sizes(self):
        random = self.random
        self.batch = random.choice([1, 1, 2, 3])
        self.heads, self.key_heads = random.choice([(1, 1), (2, 2), (4, 2), (3, 1), (6, 3)])
        self.m = random.choice(LENGTHS)
        self.n = random.choice(LENGTHS + LONG) if random.random() < 0.9 else self.m
        self.e = random.choice(WIDTHS)
        # Square attention may index rows and columns alike.
        self.is_square = random.random() < 0.25
        if self.is_square:
            self.n = self.m

    def shrink(self):
        def work():
            return self.batch * self.heads * self.m * self.n * (sum(self.widths) + self.e)

        while work() > WORK:
            if self.n > 130:
                self.m = 1 + self.m // 2
            self.widths = [1 + width // 2 for width in self.widths]
            self.e = 1 + self.e // 2
            self.batch = 1

    # Inputs

    def use(self, name, shape, element="f32", bound=None):
        self.inputs[name] = f"{name}: {element}[{shape}]" + (f" in 0..{bound}" if bound else "")
        return name

    def columns(self):
        return "M" if self.is_square else "N"

    # Expressions

    def pick(self, *choices):
        return self.random.choice(choices)

    def index(self, depth=1):
        """A whole number."""
        if depth == 0:
            return self.pick("i", "j", "i", "j", "b", "h", "M", "N", str(self.random.randint(0, 70)))
        x, y = self.index(depth - 1), self.index(depth - 1)
        c = self.random.randint(1, 40)
        choices = [x, f"({x} + {y})", f"({x} - {y})", f"min({x}, {y})", f"max({x}, {y})", f"abs({x} - {y})",
                   f"floor_div({x}, {c})", f"({x} % {c})", f"{c} * {x}"]
        if self.random.random() < 0.3:
            choices = [f"{self.use('valid', 'batch', 'i64', 200)}[b]",
                       f"{self.use('lengths', 'batch, M', 'i64', 200)}[b, i]",
                       f"{self.use('document', f'batch, {self.columns()}', 'i64', 4)}[b, j]",
                       f"{self.use('relative', f'M, {self.columns()}', 'i64', 9)}[i, j]"]
            if self.is_square:
                choices.append(f"{self.use('document', 'batch, M', 'i64', 4)}[b, i]")
        return self.random.choice(choices)

    def condition(self, depth=1):
        if depth > 0 and self.random.random() < 0.6:
            return self.pick(f"({self.condition(depth - 1)} and {self.condition(depth - 1)})",
                             f"({self.condition(depth - 1)} or {self.condition(depth - 1)})",
                             f"(not ({self.condition(depth - 1)}))")
        n = self.columns()
        choices = [f"j <= i + N - M", "j <= i", f"abs(i - j) < {self.random.randint(1, 60)}",
                   f"{self.index()} {self.pick('<', '<=', '==', '!=', '>', '>=')} {self.index()}",
                   f"j < {self.use('valid', 'batch', 'i64', 200)}[b]",
                   f"j < {self.use('lengths', 'batch, M', 'i64', 200)}[b, i]",
                   f"{self.use('padding', f'batch, {n}', 'i64', 2)}[b, j] != 0",
                   f"{self.use('mask', f'batch, M, {n}', 'i64', 2)}[b, i, j] == 1",
                   f"{self.use('bias', f'{self.heads}, M, {n}')}[h, i, j] > -0.5"]
        if self.is_square:
            document = self.use("document", "batch, M", "i64", 4)
            choices.append(f"{document}[b, i] == {document}[b, j]")
        return self.random.choice(choices)

    def vectors(self, pair):
        if self.pairs == 1:
            return "q", "k", "dot"
        return f"q[{pair}]", f"k[{pair}]", f"dot[{pair}]"

    def vector(self, pair, depth):
        q, k, _ = self.vectors(pair)
        width = self.widths[pair]
        if depth == 0:
            table = self.use(f"table{pair}", f"{self.heads}, {width}") + "[h]"
            # A tensor of one element is a number.
            return self.pick(q, q, k, k, self.use(f"w{pair}", str(width)) if width > 1 else q, table)
        x = self.vector(pair, depth - 1)
        y = self.vector(pair, depth - 1)
        return self.pick(f"({x} + {y})", f"({x} + {y})", f"({x} - {y})", f"{x} * {y}", f"tanh({x})", f"tanh({x} + {y})",
                         f"exp(tanh({x}))", f"abs({x})", f"({x} - {y}) ^ 2", f"relu({x})", f"sigmoid({x} + {y})",
                         f"max({x}, {y})", f"min({x}, 0.5)", f"{self.scalar(0)} * {x}", f"-{x}")

    def total(self, pair, depth):
        """A moderate number from a sum over a width."""
        q, k, dot = self.vectors(pair)
        width = self.widths[pair]
        forms = [f"{dot} / sqrt({width})", f"tanh({dot} / {width})", f"-sum(({q} - {k}) ^ 2) / {2 * width}",
                 f"sum({self.use(f'w{pair}', str(width))} * tanh({q} + {k})) / {width}"]
        for _ in range(4):
            forms.append(f"tanh(sum({self.vector(pair, depth)}) / {width})")
        return self.random.choice(forms)

    def scalar(self, depth):
        n = self.columns()
        if depth == 0:
            return self.pick(f"{self.use('bias', f'{self.heads}, M, {n}')}[h, i, j]", f"{self.use('slope', str(self.heads))}[h]",
                             f"{self.use('gate', f'batch, {n}')}[b, j]", f"0.01 * f32({self.index()})",
                             f"{self.use('buckets', f'9, {self.heads}')}[{self.use('relative', f'M, {n}', 'i64', 9)}[i, j], h]")
        x = self.total(self.random.randrange(self.pairs), 2) if self.random.random() < 0.5 else self.scalar(0)
        y = self.scalar(depth - 1)
        small = f"tanh({x})"
        return self.pick(f"({x} + {y})", f"({x} - {y})", f"{small} * tanh({y})", f"max({x}, {y})", f"min({x}, {y})",
                         f"where({self.condition(0)}, {x}, {y})", f"5 * tanh(({x}) / 5)", f"exp({small})",
                         f"sqrt(abs({x}) + 1)", f"log(abs({x}) + 1)", f"sigmoid({x})", f"silu({x})", f"gelu({x})",
                         f"erf({x})", f"sin({small})", f"cos({small})", f"floor(f32({self.index()}) / 8) * 0.1",
                         f"0.5 * ({x})", f"2 - {small}")

    def write_program(self):
        random = self.random
        steps = []
        score = self.total(random.randrange(self.pairs), 1 + random.randrange(2))
        for pair in range(self.pairs):
            if random.random() < 0.5:
                score += f" + {self.total(pair, 1)}"
        if random.random() < 0.7:
            score += f" + {self.scalar(random.randrange(3))}"
        steps.append(f"score = {score}")
        if random.random() < 0.6:
            steps.append(f"keep = {self.condition(2)}")
        self.has_weight = random.random() < 0.15
        if self.has_weight:
            steps.append(f"weight = normalized * {self.scalar(1)}")
        return "\n    ".join(steps)

    def write_arguments(self):
        random = self.random
        self.weights = random.choice(["", "", "", "heads", "mean"])
        normalizer = random.choice(["", "", "", "sigmoid", "sum"])
        self.logsumexp = not normalizer and random.random() < 0.2
        text = ""
        if normalizer:
            text += f', normalizer = "{normalizer}"'
        elif random.random() < 0.2:
            text += f", sink = {self.use('sink', str(self.heads))}"
        if self.weights:
            text += f', weights = "{self.weights}"'
        if self.logsumexp:
            text += ", logsumexp = true"
        return text

    # The whole

    def text(self):
        n = self.columns()
        inputs = [f"q{p}: f32[batch, {self.heads}, M, {w}]" for p, w in enumerate(self.widths)]
        inputs += [f"k{p}: f32[batch, {self.key_heads}, {n}, {w}]" for p, w in enumerate(self.widths)]
        inputs += [f"v: f32[batch, {self.key_heads}, {n}, {self.e}]", *self.inputs.values()]
        outputs = {"out": f"f32[batch, {self.heads}, M, {self.e}]"}
        if self.weights:
            outputs["weights"] = f"f32[batch, {self.heads}, M, {n}]" if self.weights == "heads" else f"f32[batch, M, {n}]"
        if self.logsumexp:
            outputs["lse"] = f"f32[batch, {self.heads}, M]"
        queries, keys = ([f"{name}{p}" for p in range(self.pairs)] for name in "qk")
        if self.pairs > 1:
            queries, keys = [f"[{', '.join(names)}]" for names in (queries, keys)]
        else:
            queries, keys = queries[0], keys[0]
        separator = ",\n        "
        return (f"kernel random({separator.join(inputs)})\n"
                f"    -> ({', '.join(f'{name}: {type}' for name, type in outputs.items())}) {{\n"
                f"  let {', '.join(outputs)} = attend({queries}, {keys}, v{self.arguments}) {{\n    {self.program}\n  }}\n"
                f"  return {', '.join(outputs)}\n}}\n")

    def sizes(self):
        sizes = {"batch": self.batch, "M": self.m}
        return sizes if self.is_square else {**sizes, "N": self.n}


TOKENS = ["q", "k", "dot", "i", "j", "b", "h", "M", "N", "sum", "tanh", "where", "(", ")", "[", "]", ",", "+", "-", "*", "/",
          "^", "%", "<", "==", "and", "not", "or", "1", "0", "2.5", "1e30", "true", "score", "=", "keep", "normalized", "max"]


def damaged(random, text):
    """The text with a few words of its program left out, doubled or replaced."""
    import re

    start = text.index("{\n    score") + 2
    end = text.rindex("\n  }\n")
    words = re.findall(r"\w+(?:\.\d+)?|\S|\n", text[start:end])
    for _ in range(random.choice([1, 1, 2, 3])):
        at = random.randrange(len(words))
        change = random.randrange(4)
        if change == 0 and len(words) > 1:
            del words[at]
        elif change == 1:
            words.insert(at, random.choice(TOKENS))
        elif change == 2:
            words[at] = random.choice(TOKENS)
        else:
            words[at] = random.choice(words)
    return text[:start] + " ".join(words) + text[end:]
