/** What is typed for a framed command, and the script at the other end that takes it. */
import { createHash } from "node:crypto";

/** On the machine, in a folder that can be written to: the script; with an ending: what is being typed, the last run, its output, its status. */
export const FRAME_FILE = "/.frame";
/** Canonical terminals take lines of 4095 bytes at most. */
const LONGEST_LINE = 3000;
const CHUNK = 1000;

/**
 * Arguments: SESSION RUN ATTEMPT, to print the result of that run; with SUM COMMAND to run it before, unless it has begun.
 * COMMAND is base64, or `@` for what was typed into FILE.c. Says `bad` for what does not fit together.
 */
const scriptOf = (file: string): string => `f=${file}
m(){ printf '\\036%s\\037\\n' "$*"; }
b=$(cat $f.id 2>/dev/null)
if [ $# -gt 3 ];then
c=$5;[ "$c" = @ ]&&c=$(tr -d '\\n' <$f.c)
[ "$(echo $1 $2 $c|md5sum|cut -c1-32)" = "$4" ]||{ m $1:$2:$3:bad;exit;}
if [ "$1 $2" != "$b" ];then
rm -f $f.s;echo $1 $2 >$f.id;m $1:$2:$3:go
(eval "$(echo $c|base64 -d)") </dev/null >$f.o 2>&1
echo $? >$f.s
fi
elif [ "$1 $2" != "$b" ];then m $1:$2:$3:bad;exit;fi
s=$(cat $f.s 2>/dev/null||echo lost)
e=$s:$(wc -c <$f.o|tr -d ' '):$( (echo $1 $2 $s;cat $f.o)|md5sum|cut -c1-32)
m $1:$2:$3:from;base64 $f.o;m $1:$2:$3:end1:$e;m $1:$2:$3:end2:$e
`;

/** What is typed for a session whose files are in `folder`. */
export class FrameScript {
  readonly #session: string;
  readonly #file: string;

  constructor(session: string, folder: string) {
    this.#session = session;
    this.#file = `${folder}${FRAME_FILE}`;
  }

  /** Its answer has the sum of the script, or another one, or that there is none. */
  get question(): string {
    return `md5sum ${this.#file}`;
  }

  get sum(): string {
    return md5(scriptOf(this.#file));
  }

  /** Puts the script on the machine. */
  get lines(): string[] {
    const typed = chunks(Buffer.from(scriptOf(this.#file)).toString("base64"), `${this.#file}.b`);
    return [...typed, `base64 -d ${this.#file}.b >${this.#file}`];
  }

  /** Runs a command, once. */
  run(run: number, attempt: number, command: string): string[] {
    const coded = Buffer.from(command).toString("base64");
    const sum = md5(`${this.#session} ${run} ${coded}\n`);
    const line = (what: string): string => `${this.again(run, attempt)} ${sum} ${what}`;
    return coded.length <= LONGEST_LINE ? [line(coded)] : [...chunks(coded, `${this.#file}.c`), line("@")];
  }

  /** Prints the result of a run once more. */
  again(run: number, attempt: number): string {
    return `sh ${this.#file} ${this.#session} ${run} ${attempt}`;
  }
}

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

function chunks(text: string, file: string): string[] {
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += CHUNK) {
    lines.push(`echo ${text.slice(at, at + CHUNK)} ${at === 0 ? ">" : ">>"}${file}`);
  }
  return lines;
}
