/** Remote logins: each connection of a login shell becomes a console session, or runs one command. */
import type { LocalSocket, LocalSocketEvents, Timers } from "../ports.ts";
import type { Appliance } from "../service/appliance.ts";
import { whoIs } from "../service/logins.ts";
import { CommandRun } from "./command-run.ts";
import { ConsoleSession } from "./session.ts";
import { emitExit, emitGrant, emitOutput, type TerminalFrame, TerminalFrames } from "./terminal-frame.ts";

/** People and programs at a time. */
const MOST_CONNECTIONS = 8;
/** Input on its way to us that nobody has taken yet. */
const WINDOW_BYTES = 64 * 1024;
/** What waits to be sent before typing is no longer listened to. */
const LONGEST_QUEUE_BYTES = 64 * 1024;
const MINUTE_MS = 60_000;

/** Takes connections whenever SSH is on, as long as the process lives. */
export function startRemote(appliance: Appliance, timers: Timers): void {
  let connections = 0;
  appliance.ssh.serve((socket) => {
    connections++;
    return new Connection(appliance, timers, socket, connections > MOST_CONNECTIONS, () => connections--);
  });
}

/** A console session or a command, as the connection needs it. */
interface Front {
  feed(bytes: Buffer): void;
  endOfInput(): void;
  hangUp(): void;
  resize(columns: number, lines: number): void;
}

class Connection implements LocalSocketEvents {
  readonly #appliance: Appliance;
  readonly #timers: Timers;
  readonly #socket: LocalSocket;
  readonly #isOneTooMany: boolean;
  readonly #gone: () => void;
  readonly #frames = new TerminalFrames();
  #from = "";
  #command: string | undefined;
  #size: { readonly columns: number; readonly lines: number } | undefined;
  #front: Front | undefined;
  #isOver = false;
  /** Taken, and not granted again yet. */
  #owed = WINDOW_BYTES;
  #idle: { cancel(): void } | undefined;

  constructor(appliance: Appliance, timers: Timers, socket: LocalSocket, isOneTooMany: boolean, gone: () => void) {
    this.#appliance = appliance;
    this.#timers = timers;
    this.#socket = socket;
    this.#isOneTooMany = isOneTooMany;
    this.#gone = gone;
  }

  data(bytes: Buffer): void {
    const frames = this.#frames.push(bytes);
    for (const frame of frames ?? []) this.#handle(frame);
    if (frames === undefined) this.#socket.destroy();
  }
  drained(): void {
    this.#grant();
  }
  closed(): void {
    this.#gone();
    this.#idle?.cancel();
    this.#isOver = true;
    this.#front?.hangUp();
  }

  #handle(frame: TerminalFrame): void {
    if (this.#isOver) return;
    switch (frame.type) {
      case "from":
        this.#from = frame.address;
        break;
      case "command":
        this.#command = frame.line;
        break;
      case "size":
        this.#size = frame;
        this.#front?.resize(frame.columns, frame.lines);
        break;
      case "go":
        this.#begin();
        break;
      case "input":
        this.#owed += frame.bytes.length;
        this.#front?.feed(frame.bytes);
        break;
      case "end":
        this.#front?.endOfInput();
        break;
    }
  }

  #begin(): void {
    if (this.#front !== undefined) return;
    if (this.#isOneTooMany) {
      const text = `% ${MOST_CONNECTIONS} people or programs are logged in already\n  try again when somebody is done\n`;
      this.#send(emitOutput(Buffer.from(text), "error"));
      this.#exit(1);
      return;
    }
    if (this.#command === undefined) this.#front = this.#session();
    else this.#front = this.#run(this.#command);
  }

  #session(): Front {
    const session = new ConsoleSession(this.#appliance, {
      terminal: this.#size !== undefined,
      write: (text) => {
        this.#send(emitOutput(Buffer.from(text), "output"));
        if (session.listening) this.#grant();
      },
      remote: { from: this.#from, ended: () => this.#exit(0) },
    });
    const front: Front = {
      feed: (bytes) => {
        this.#listen(session);
        session.feed(bytes);
        if (session.listening) this.#grant();
      },
      // A program that has said everything: like Ctrl-D at each prompt.
      endOfInput: () => session.endOfInput(),
      hangUp: () => session.hangUp(),
      resize: (columns, lines) => session.resize(columns, lines),
    };
    if (this.#size !== undefined) session.resize(this.#size.columns, this.#size.lines);
    this.#listen(session);
    session.start();
    this.#grant();
    return front;
  }

  #run(line: string): Front {
    const who = whoIs({ line: "ssh", from: this.#from });
    this.#appliance.log("info", "ssh", `${who} runs: ${line}`);
    const run = new CommandRun(
      this.#appliance,
      {
        output: (bytes) => this.#send(emitOutput(bytes, "output")),
        error: (text) => this.#send(emitOutput(Buffer.from(text), "error")),
        wanted: () => this.#grant(),
        exit: (status) => this.#exit(status),
      },
      who,
    );
    // It may be over before this returns.
    run.start(line);
    return {
      feed: (bytes) => run.feed(bytes),
      endOfInput: () => run.endOfInput(),
      hangUp: () => run.hangUp(),
      resize: () => {},
    };
  }

  /** Begins to wait for the next key. */
  #listen(session: ConsoleSession): void {
    this.#idle?.cancel();
    const minutes = this.#appliance.ssh.view().settings?.idleMinutes;
    if (minutes === undefined) return;
    this.#idle = this.#timers.after(minutes * MINUTE_MS, () => session.expire(minutes));
  }

  /** A far end that does not read is not listened to. */
  #grant(): void {
    if (this.#isOver || this.#owed === 0 || this.#socket.waitingBytes > LONGEST_QUEUE_BYTES) return;
    const owed = this.#owed;
    this.#owed = 0;
    this.#send(emitGrant(owed));
  }
  #send(bytes: Buffer): void {
    if (!this.#isOver) this.#socket.write(bytes);
  }
  #exit(status: number): void {
    if (this.#isOver) return;
    this.#send(emitExit(status));
    this.#isOver = true;
    this.#socket.end();
  }
}
