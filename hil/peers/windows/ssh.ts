/** Commands over OpenSSH: the system's `ssh` to Windows' sshd (or any other), one connection per command. */
import { execa } from "execa";
import { Fault } from "../../fault.ts";
import type { CommandResult, WindowsChannel } from "./powershell.ts";

export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** A file with a private key that sshd knows. */
  readonly keyFile: string;
}

/** ssh(1): its own failures, as a command cannot tell them from its own 255. */
const SSH_FAILED = 255;
const CONNECT_SECONDS = 10;
const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;

export class Ssh implements WindowsChannel {
  readonly how = "OpenSSH";
  readonly #node: string;
  readonly #target: SshTarget;
  readonly #running = new AbortController();

  constructor(node: string, target: SshTarget) {
    this.#node = node;
    this.#target = target;
  }

  /** Whether a login succeeds now. */
  async isThere(): Promise<boolean> {
    // A word that cmd, PowerShell and every Unix shell know.
    return await this.run("echo", ["culvert"], CONNECT_SECONDS * 2_000).then(
      ({ output }) => output.includes("culvert"),
      () => false,
    );
  }

  async run(program: string, args: readonly string[], withinMs: number): Promise<CommandResult> {
    const result = await execa("ssh", sshArguments(this.#target, [program, ...args]), {
      reject: false,
      stdin: "ignore",
      all: true,
      timeout: withinMs,
      maxBuffer: MOST_OUTPUT_BYTES,
      cancelSignal: this.#running.signal,
      stripFinalNewline: false,
    });
    const output = result.all ?? "";
    if (result.timedOut) throw this.#fault(`${program} still runs after ${withinMs / 1000} s`);
    if (result.isCanceled) throw this.#fault("the channel was closed");
    if (result.exitCode === SSH_FAILED) throw this.#fault(`ssh: ${output.trim()}`);
    if (result.exitCode === undefined) throw this.#fault(`ssh ended by ${result.signal ?? "itself"}: ${output.trim()}`);
    return { exitCode: result.exitCode, output };
  }

  close(): void {
    this.#running.abort();
  }

  #fault(what: string): Fault {
    return new Fault("peer", `${this.#node}: ${what}`, { node: this.#node });
  }
}

/** ssh joins words with blanks, and the far side's shell cuts them again: only words without blanks and quotes may be sent. */
export function sshArguments({ host, port, user, keyFile }: SshTarget, command: readonly string[]): string[] {
  const strange = command.find((word) => !/^[\w./:=+,@-]+$/.test(word));
  if (strange !== undefined) throw new RangeError(`a command over ssh cannot have the word ${JSON.stringify(strange)}`);
  return [
    ...["-F", "/dev/null", "-i", keyFile, "-p", String(port), "-l", user],
    ...["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", `ConnectTimeout=${CONNECT_SECONDS}`],
    // The machine is a fresh copy on this computer: there is nobody in between, and its key is new each time.
    ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"],
    ...[host, "--", ...command],
  ];
}
