/** One console: bytes in, text out, from the login to the last command. No IO; what takes its time is waited for. */
import type { Config } from "../config/config.ts";
import type { LogLevel } from "../ports.ts";
import type { Appliance } from "../service/appliance.ts";
import type { Loading } from "../service/loading.ts";
import { type Login, whoIs } from "../service/logins.ts";
import { type CommandOutcome, overtakenLines, runCommand, type Shell } from "./command.ts";
import type { Mode } from "./commands.ts";
import { completion, wordsAtCursor } from "./completion.ts";
import { columnOf, tokenize, understand } from "./grammar.ts";
import { type Key, KeyDecoder } from "./key.ts";
import { LineEditor } from "./line-editor.ts";
import { nothingTaken, takeLine } from "./load-lines.ts";
import { LoginDialogue } from "./login-dialogue.ts";
import { WIDTH, wrap } from "./output.ts";
import { Pager } from "./pager.ts";
import { greetingLines } from "./update-output.ts";

const DEFAULT_LENGTH = 24;
/** Behind the login. */
const INSIDE: ReadonlySet<string> = new Set(["shell", "asked", "load", "stream"]);
/** Keys that wait while a password is being checked; more are noise on the line. SSH holds back what is not `listening`. */
const LONGEST_QUEUE = { console: 1000, ssh: 128 * 1024 } as const;
const NARROWEST = 20;
const BELL = "\x07";

export interface SessionOptions {
  /** False when the far end is no terminal: no echo, no pages. */
  readonly terminal: boolean;
  /** Sends text to the far end. Lines end with \n. */
  readonly write: (text: string) => void;
  /** SSH has asked for the password already, and ends with the login; undefined on the serial console. */
  readonly remote?: { readonly from: string; readonly ended: () => void };
}

type State =
  /** Nobody is logged in. */
  | { readonly at: "login" }
  | { readonly at: "checking" }
  | { readonly at: "shell" }
  /** A question that `yes` answers. */
  | { readonly at: "asked"; readonly run: () => readonly string[] }
  /** Lines of a configuration come. */
  | { readonly at: "load"; readonly loading: Loading }
  /** A program speaks until it ends. */
  | { readonly at: "stream"; readonly stop: () => void }
  /** A remote session is over: nobody is there any more. */
  | { readonly at: "ended" };

export class ConsoleSession {
  readonly #appliance: Appliance;
  readonly #options: SessionOptions;
  readonly #dialogue: LoginDialogue;
  readonly #decoder = new KeyDecoder();
  readonly #pager = new Pager();
  #editor = new LineEditor();
  #columns = WIDTH;
  #shell: Shell;
  #login: Login | undefined;
  #inputHasEnded = false;
  #state: State = { at: "login" };
  #queue: Key[] = [];
  /** What is running since somebody else's commit, once it was told. */
  #toldOf: Config | undefined;

  constructor(appliance: Appliance, options: SessionOptions) {
    this.#appliance = appliance;
    this.#options = options;
    this.#shell = this.#newShell();
    this.#dialogue = new LoginDialogue(appliance, {
      write: (text) => this.#write(text),
      ask: (question, answer) => this.#ask({ at: "login" }, question, answer),
      wait: (answer, failure, then) => this.#await(answer, failure, then),
      log: (level, text) => this.#log(level, text),
      enter: (said) => this.#logIn(said),
    });
  }

  /** Writes the first prompt. */
  start(): void {
    const { remote } = this.#options;
    if (remote !== undefined) this.#logIn(`a session from ${remote.from}`);
    else this.#dialogue.start();
  }

  /** The far end's window, in characters; 0 where it does not know. What is on the screen stays as it is. */
  resize(columns: number, lines: number): void {
    this.#columns = columns === 0 ? WIDTH : Math.max(columns, NARROWEST);
    if (!this.#shell.hasOwnLength && lines > 0) this.#shell.length = lines;
  }

  /** Total: any bytes in any state. */
  feed(bytes: Buffer): void {
    this.#login?.heard();
    for (const key of this.#decoder.keys(bytes)) {
      if (this.listening) this.#press(key);
      else if (this.#queue.length < LONGEST_QUEUE[this.#way]) this.#queue.push(key);
    }
  }

  /** False while keys have to wait. A program does not type Ctrl-C: what it types while another speaks is for later. */
  get listening(): boolean {
    return this.#state.at !== "checking" && (this.#state.at !== "stream" || this.#options.terminal);
  }

  /** The line was cut: whoever comes next must log in. Uncommitted changes are forgotten. */
  hangUp(): void {
    if (this.#login !== undefined) {
      this.#log("warning", "the line was cut: logged out");
      this.#leave();
    } else if (this.#state.at === "checking") {
      // A password that proves right now is not the next person's.
      this.#queue = [];
      this.start();
    }
  }

  /** A program that types has said everything: it is logged out once that is done. */
  endOfInput(): void {
    this.#inputHasEnded = true;
    if (this.listening && this.#state.at !== "stream") this.#leave();
  }

  /** Nobody has typed for too long. */
  expire(minutes: number): void {
    if (this.#login === undefined) return;
    this.#log("info", `logged out after ${minutes} min without a key`);
    this.#write(`\nLogged out: no key for ${minutes} min. What was not committed is forgotten.`);
    this.#leave();
  }

  #leave(): void {
    if (this.#state.at === "stream") this.#state.stop();
    this.#queue = [];
    this.#write(this.#pager.show([], 0, this.#columns));
    this.#write("\n");
    this.#logOut();
  }

  #press(key: Key): void {
    if (this.#state.at === "ended") return;
    if (this.#state.at === "stream") {
      if (key.key === "interrupt") this.#state.stop();
      return;
    }
    if (this.#pager.waiting) {
      this.#write(this.#pager.press(key, this.#shell.length, this.#columns));
      if (!this.#pager.waiting) this.#prompt();
      return;
    }
    if (this.#state.at === "shell" && key.key === "text" && key.text === "?" && !this.#inQuotes()) {
      this.#help("?\n");
      return;
    }
    const { output, event } = this.#editor.press(key);
    this.#write(output);
    switch (event) {
      case "line":
        this.#line(this.#editor.text);
        break;
      case "complete":
        if (this.#state.at === "shell") this.#complete();
        break;
      case "interrupt":
        this.#write("^C\n");
        this.#again();
        break;
      case "end-of-input":
        if (this.#state.at !== "shell") break;
        this.#write("exit\n");
        this.#line("exit");
        break;
      case "redraw":
        this.#write(`\n${this.#editor.redraw()}`);
        break;
      case undefined:
        break;
    }
  }

  #line(line: string): void {
    const state = this.#state;
    switch (state.at) {
      case "login":
        this.#dialogue.answer(line);
        break;
      case "shell":
        this.#command(line);
        break;
      case "asked":
        this.#enterShell(line.trim() === "yes" ? state.run() : ["Nothing was done."]);
        break;
      case "load":
        this.#load(state.loading, line);
        break;
      case "checking":
      case "stream":
      case "ended":
        break;
    }
  }

  /** Keys wait until the answer is there. One that comes after the line was cut is not heard. A failure is logged and said. */
  #await<T>(answer: Promise<T>, failure: string, then: (value: T) => void): void {
    const state: State = { at: "checking" };
    this.#state = state;
    const goOn = (answered: () => void): void => {
      if (this.#state !== state) return;
      answered();
      this.#pressWaiting();
    };
    answer
      .then(
        (value) => goOn(() => then(value)),
        (error: Error) => {
          this.#log("error", `${failure}: ${error.message}`);
          goOn(() => {
            this.#write(`% ${failure}: ${error.message}\n`);
            if (this.#login === undefined) this.start();
            else this.#enterShell();
          });
        },
      )
      // Not awaited by anybody: an error in here must end the process as any other does.
      .catch((error: unknown) =>
        setImmediate(() => {
          throw error;
        }),
      );
  }

  #pressWaiting(): void {
    const waiting = this.#queue;
    this.#queue = [];
    for (const [i, key] of waiting.entries()) {
      if (!this.listening) {
        this.#queue = [...waiting.slice(i), ...this.#queue];
        return;
      }
      this.#press(key);
    }
    if (this.#inputHasEnded && this.listening && this.#login !== undefined) this.#leave();
  }

  #command(line: string): void {
    const understood = understand(line, this.#mode);
    if (understood === undefined) {
      this.#prompt();
      return;
    }
    if (!understood.ok) {
      this.#show(this.#refusal(understood.column, understood.problem, understood.hint));
      return;
    }
    const outcome = runCommand(understood, this.#appliance, this.#shell);
    this.#finish(outcome, line);
  }

  /** Once after each commit of somebody else: what is being typed here may not fit it any more. */
  #news(): readonly string[] {
    const { edit } = this.#shell;
    if (edit?.isOvertaken !== true) {
      this.#toldOf = undefined;
      return [];
    }
    const { running } = this.#appliance;
    if (this.#toldOf === running) return [];
    this.#toldOf = running;
    return overtakenLines(edit);
  }

  #finish(outcome: CommandOutcome, line: string): void {
    switch (outcome.result) {
      case "show":
        this.#show(outcome.lines);
        break;
      case "refuse": {
        const column = outcome.at === undefined ? undefined : columnOf(line, this.#mode, outcome.at);
        this.#show(this.#refusal(column, outcome.problem, outcome.hint));
        break;
      }
      case "ask":
        this.#ask({ at: "asked", run: outcome.run }, outcome.question, "plain");
        break;
      case "load":
        this.#askForLine(outcome.loading);
        break;
      case "wait":
        this.#await(outcome.lines, "the answer did not come", (lines) => this.#enterShell(lines));
        break;
      case "stream":
        this.#stream(outcome.start);
        break;
      case "file":
        this.#show(outcome.lines);
        break;
      case "receive":
        this.#show(["% it takes a file on its input, and this line has none", `  ${outcome.usage}`]);
        break;
      case "log-out":
        this.#logOut();
        break;
    }
  }

  /** Lines go out as they come, without pages; what a line that was cut still says is not heard. */
  #stream(start: Extract<CommandOutcome, { result: "stream" }>["start"]): void {
    const state: State = { at: "stream", stop: () => running.stop() };
    this.#state = state;
    const running = start({
      line: (text) => {
        if (this.#state === state) this.#write(`${text.replace(/\p{Cc}/gu, "?")}\n`);
      },
      end: () => {
        if (this.#state !== state) return;
        this.#enterShell();
        this.#pressWaiting();
      },
    });
  }

  #askForLine(loading: Loading): void {
    this.#ask({ at: "load", loading }, `${this.#appliance.name}.load# `, "plain");
  }

  /** One line of a configuration. `end` ends it; Ctrl-C gives it up. */
  #load(loading: Loading, line: string): void {
    const said = takeLine(loading, line);
    if (said === "end") {
      this.#enterShell(this.#loaded(loading));
      return;
    }
    this.#write(said.map((each) => `${each}\n`).join(""));
    this.#askForLine(loading);
  }

  #loaded(loading: Loading): readonly string[] {
    if (this.#shell.edit?.finish(loading) !== true) return nothingTaken(loading);
    const count = loading.lines === 1 ? "1 line" : `${loading.lines} lines`;
    return [`${count} taken. compare shows what changes.`];
  }

  #logIn(said: string): void {
    const { remote } = this.#options;
    const edit = () => this.#shell.edit;
    this.#login = this.#appliance.logins.enter({ line: this.#way, from: remote?.from, edit });
    this.#log("info", said);
    const hardware = this.#appliance.hardwareNotices.flatMap((notice) => wrap(notice, ""));
    const { updates } = this.#appliance;
    this.#enterShell([...greetingLines(updates.view(), updates.isReading), ...hardware]);
  }

  #logOut(): void {
    this.#login?.leave();
    this.#login = undefined;
    this.#shell = this.#newShell();
    this.#editor = new LineEditor();
    const { remote } = this.#options;
    if (remote === undefined) this.#dialogue.start();
    else {
      this.#state = { at: "ended" };
      remote.ended();
    }
  }

  /** A caret below the wrong word, where the line is still on the screen as it was typed. */
  #refusal(column: number | undefined, problem: string, hint: string): readonly string[] {
    const at = this.#promptText().length + (column ?? this.#columns);
    const caret = this.#options.terminal && at < this.#columns ? [`${" ".repeat(at)}^`] : [];
    return [...caret, `% ${problem}`, `  ${hint}`];
  }

  #complete(): void {
    const { insert, several } = completion(this.#editor.beforeCursor, this.#mode, this.#shown);
    if (insert !== "") this.#write(this.#editor.insert(insert));
    else if (several) this.#help("\n");
    else this.#write(BELL);
  }

  /** The words that can stand at the cursor, below the line, and the line again. */
  #help(first: string): void {
    const { beforeCursor, text } = this.#editor;
    const lines = wordsAtCursor(beforeCursor, text, this.#mode, this.#shown);
    this.#write(`${first}${lines.map((line) => `${line}\n`).join("")}${this.#editor.redraw()}`);
  }
  /** Whose names are offered. */
  get #shown(): Config {
    return this.#shell.edit?.candidate ?? this.#appliance.running;
  }

  #inQuotes(): boolean {
    return tokenize(this.#editor.beforeCursor).at(-1)?.open ?? false;
  }

  get #mode(): Mode {
    return this.#shell.edit === undefined ? "operational" : "configure";
  }

  #show(shown: readonly string[]): void {
    const lines = [...shown, ...this.#news()];
    this.#write(this.#pager.show(lines, this.#shell.length, this.#columns));
    if (!this.#pager.waiting) this.#prompt();
  }

  #enterShell(lines: readonly string[] = []): void {
    this.#state = { at: "shell" };
    this.#show(lines);
  }
  /** After Ctrl-C: the shell's prompt, or the first question. */
  #again(): void {
    if (INSIDE.has(this.#state.at)) this.#enterShell();
    else this.start();
  }

  #ask(state: State, question: string, answer: "plain" | "hidden"): void {
    this.#state = state;
    const echo = answer === "plain" && this.#options.terminal;
    this.#write(this.#editor.begin(question, { columns: this.#columns, echo, remember: false }));
  }
  #prompt(): void {
    if (this.#state.at !== "shell") return;
    const options = { columns: this.#columns, echo: this.#options.terminal, remember: true };
    this.#write(this.#editor.begin(this.#promptText(), options));
  }
  #promptText(): string {
    return `${this.#appliance.name}${this.#mode === "configure" ? "#" : ">"} `;
  }
  #write(text: string): void {
    if (text !== "") this.#options.write(text);
  }
  #log(level: LogLevel, text: string): void {
    this.#appliance.log(level, this.#way, text);
  }
  get #way(): "console" | "ssh" {
    return this.#options.remote === undefined ? "console" : "ssh";
  }
  #newShell(): Shell {
    const { terminal, remote } = this.#options;
    const who = whoIs({ line: this.#way, from: remote?.from });
    return { length: terminal ? DEFAULT_LENGTH : 0, hasOwnLength: false, edit: undefined, who, way: this.#way };
  }
}
