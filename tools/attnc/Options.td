// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Subcommands and options of attnc.

include "llvm/Option/OptParser.td"

def compile : SubCommand<"compile", "Compile a model to a library, a C header and a weights file",
                         "attnc compile MODEL -o DIR [options]">;
def run : SubCommand<"run", "Run a model, or a library compiled from one",
                     "attnc run MODEL --inputs FILE [--outputs FILE] [options]">;
def verify : SubCommand<"verify", "Compare a compiled model with the f64 reference, layer by layer",
                        "attnc verify MODEL [options]">;
def bench : SubCommand<"bench", "Measure a compiled model",
                       "attnc bench MODEL [options]">;
def inspect : SubCommand<"inspect", "Show what a model is made of and what it costs",
                         "attnc inspect MODEL [options]">;
def completion : SubCommand<"completion", "Print a completion script for bash",
                            "attnc completion">;

defvar building = [compile, run, verify, bench, inspect];
defvar all = [compile, run, verify, bench, inspect, completion];

class ValueOption<string name, list<SubCommand> commands, string metaVar, string help>
    : Separate<["--"], name, commands>, HelpText<help>, MetaVarName<metaVar>;
multiclass Value<string name, list<SubCommand> commands, string metaVar, string help> {
  def NAME : ValueOption<name, commands, metaVar, help>;
  def NAME # _eq : Joined<["--"], name # "=", commands>, Alias<!cast<Separate>(NAME)>;
}

def help : Flag<["--"], "help", all>, HelpText<"Show this help">;
def h : Flag<["-"], "h", all>, Alias<help>;
def version : Flag<["--"], "version">, HelpText<"Show the version">;

// Where the model comes from.
defm config : Value<"config", building, "FILE", "config.json for a .attn description">;
defm weights : Value<"weights", building, "PATH", "Weights for a .attn description: a .safetensors file or a directory">;
defm entry : Value<"entry", building, "NAME", "Which model of a description, instead of the one config.json names">;
defm kernel : Value<"kernel", building, "NAME", "Which kernel of a description that has several">;
defm dim : Value<"dim", building, "NAME=VALUE", "Compile for this size of a dynamic dimension only; may be given several times">;
defm without : Value<"without", building, "INPUT", "Leave out an optional input; its default is used">;

// What is generated.
defm target : Value<"target", building, "NAME", "Instruction sets to generate code for, separated by commas; default: native">;
def o : Separate<["-"], "o", [compile]>, HelpText<"Directory for the generated files">, MetaVarName<"DIR">;
defm name : Value<"name", [compile], "NAME", "Name of the library and prefix of its functions">;
defm emit : Value<"emit", [compile], "KIND", "static (default), shared, object, ir or asm">;
defm dump_after : Value<"dump-after", [compile], "STAGE", "Print the IR after frontend, fuse, outline, plan, tiles or llvm, and stop">;
def generation : Flag<["--"], "generation", [compile]>, HelpText<"Compile for generation: the library takes new tokens of many sequences and keeps keys and values of earlier ones in a cache">;
def allow_unfused : Flag<["--"], "allow-unfused", building>, HelpText<"Compute scores that are too much for one kernel in parts, in memory of queries times keys">;
def explain : Flag<["--"], "explain", [compile]>, HelpText<"Tell for each operation whether it was fused and why, its kernel, tile and predicted cost at --size, --batch or --inputs">;

// Running.
defm inputs : Value<"inputs", [compile, run, verify, bench], "FILE", "A .safetensors file, or NAME=FILE.npy; may be given several times">;
defm outputs : Value<"outputs", [run], "FILE", "Where to write the outputs: a .safetensors file, or NAME=FILE.npy">;
defm image : Value<"image", [run], "FILE", "A PNG or JPEG picture to classify; may be given several times">;
defm top : Value<"top", [run], "N", "How many labels to show for a picture; default 5">;
defm threads : Value<"threads", [run, verify, bench, inspect], "N", "Threads; default: one for each core, and for inspect one">;
defm size : Value<"size", [compile, verify, bench, inspect], "NAME=VALUE", "Size of a dynamic dimension in this run, which stays dynamic; may be given several times">;
defm batch : Value<"batch", [compile, verify, bench, inspect], "N", "Shorthand for --size batch=N">;
defm ids : Value<"ids", [run], "ID,ID,...", "A prompt as token ids (of an encoder-decoder: what it encodes); several options are several prompts">;
defm generate : Value<"generate", [run, verify, bench], "N", "Generate up to N tokens for each prompt; verify and bench: after --batch random prompts of --size tokens=N">;
defm temperature : Value<"temperature", [run], "T", "Draw tokens from softmax(logits / T) instead of taking the likeliest">;
defm top_k : Value<"top-k", [run], "K", "Draw from the K likeliest tokens">;
defm top_p : Value<"top-p", [run], "P", "Draw from the likeliest tokens whose probabilities add up to P">;
defm repetition_penalty : Value<"repetition-penalty", [run], "R", "Make tokens less likely that the text has already; 1 does nothing">;
defm beams : Value<"beams", [run], "N", "Search with N beams instead of taking the likeliest token each time">;
defm length_penalty : Value<"length-penalty", [run], "P", "Divide the score of a text by its length to this power; default 1">;
defm early_stopping : Value<"early-stopping", [run], "WHEN", "A search that has a text for each beam ends at once (true), where no beam is better now (false, the default), or where none could become better (never)">;
defm stop_ids : Value<"stop-ids", [run], "ID,ID,...", "Tokens that end a text, instead of the model's own; none for ''">;
defm decoder_ids : Value<"decoder-ids", [run], "ID,ID,...", "What the decoder of an encoder-decoder begins with, instead of the model's own">;
defm seed : Value<"seed", [run, verify, bench], "N", "Seed of random inputs, or of drawn tokens">;
defm repeat : Value<"repeat", [bench], "N", "Timed runs; default: as many as take two seconds">;
def by_kernel : Flag<["--"], "by-kernel", [bench]>, HelpText<"Time each kernel">;
// Which kernel of multiply-adds the process that measures loads; attnc calls itself with it.
def fma_kernel : Separate<["--"], "fma-kernel", [bench]>, Flags<[HelpHidden]>;
// The part of each launch's work that keeps leave, for the process that measures.
def computed_shares : Separate<["--"], "computed-shares", [bench]>, Flags<[HelpHidden]>;
def check : Flag<["--"], "check", [inspect]>, HelpText<"Check the contents of a weights file against its checksums">;
def json : Flag<["--"], "json", [compile, run, verify, bench, inspect]>, HelpText<"Print for programs">;
