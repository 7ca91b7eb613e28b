/**
 * The remote login: dropbear with the device's host key and the administrator's keys, the answer to each password it asks
 * about, and the socket by which its login shell reaches the console. Off, there is none of that.
 */
import { createHash } from "node:crypto";
import { type Disk, replaceFile } from "../config/disk.ts";
import type { AuthorizedKey, SshSettings } from "../config/settings-ssh.ts";
import type { LocalSocket, LocalSocketEvents, LocalTransport, Random, SystemError } from "../ports.ts";
import { StrangerLog } from "../tunnel/stranger-log.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import type { Administrator } from "./administrator.ts";
import { Daemon, type DaemonPorts } from "./daemon.ts";
import { emitHostKey, publicHostKey, SEED_BYTES } from "./ssh-host-key.ts";

export interface SshPorts extends DaemonPorts {
  readonly administrator: Administrator;
  readonly local: LocalTransport;
  readonly random: Random;
  /** What does not outlive a restart, for root alone: the password socket lies in it. */
  readonly folder: string;
  /** The home folder of the account that people log in to: its login shell finds the console's socket in it. */
  readonly home: string;
  /** `.ssh` in that folder; the account must be able to read it. */
  readonly keys: Disk;
  /** Outlives restarts. */
  readonly hostKey: { readonly disk: Disk; readonly folder: string };
  /** crypt(3) that asks us; see ../native/login. */
  readonly passwordChecker: string;
}

/** Called for each connection of a login shell. */
export type Serve = (socket: LocalSocket) => LocalSocketEvents;

/** As a person reads of it. */
export interface SshView {
  /** Undefined: off. `address`: undefined for every one. */
  readonly settings: (Omit<SshSettings, "address"> & { readonly address: string | undefined }) | undefined;
  readonly isRunning: boolean;
  /** Of the host key; undefined before SSH was switched on for the first time. */
  readonly fingerprint: string | undefined;
  readonly keys: readonly (AuthorizedKey & { readonly fingerprint: string })[];
}

const HOST_KEY = "host_ed25519";
const AUTHORIZED_KEYS = "authorized_keys";
/** Not that there was anything to forward to: dropbear is told so in general, too. */
const RESTRICTIONS = "no-port-forwarding,no-agent-forwarding,no-X11-forwarding";
const MOST_TRIES = "4";
/** Finds out that a far end is gone: two unanswered ones end the connection. */
const KEEPALIVE_S = "60";
/** What dropbear says of every login and its end, and of files of the system that the image does not have. */
const USUAL =
  /^(Not backgrounding|Child connection|Exit|Early exit: Terminated|(Port|Agent|X11) forwarding disabled|sys?login|wtmp|lastlog|utmp)/;
/** 100 bytes are all that dropbear takes. */
const LONGEST_PASSWORD_BYTES = 1024;
/** For the last words to somebody who has just switched off what he came by. */
const LINGER_MS = 1000;

export class SshService {
  readonly #ports: SshPorts;
  readonly #dropbear: Daemon;
  readonly #strangers = new StrangerLog();
  #settings: SshSettings | undefined;
  #fingerprint: string | undefined;
  #serve: Serve | undefined;
  #terminals: { close(): void } | undefined;
  #passwords: { close(): void } | undefined;
  #closing: { cancel(): void } | undefined;

  constructor(ports: SshPorts) {
    this.#ports = ports;
    this.#dropbear = new Daemon("dropbear", ports, (line) => this.#heard(line));
  }

  /** Who answers login shells from now on. */
  serve(serve: Serve): void {
    this.#serve = serve;
  }

  /** Undefined: nobody can log in, and who has logged in is logged out. Returns what could not be done, one sentence each. */
  apply(settings: SshSettings | undefined): readonly string[] {
    this.#settings = settings;
    if (settings === undefined) {
      this.#dropbear.want(undefined);
      this.#closeLater();
      return [];
    }
    try {
      this.#fingerprint = this.#hostKey();
      replaceFile(this.#ports.keys, AUTHORIZED_KEYS, Buffer.from(authorizedKeys(settings.keys)));
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      this.#ports.log.write("error", "ssh", error.message);
      return [`ssh: ${error.message}`];
    }
    this.#closing?.cancel();
    this.#closing = undefined;
    this.#listen();
    this.#dropbear.want(this.#spec(settings));
    return [];
  }

  view(): SshView {
    const settings = this.#settings;
    const keys = settings?.keys ?? [];
    const address = settings?.address === undefined ? undefined : formatIpv4(settings.address);
    return {
      settings: settings && { ...settings, address },
      isRunning: this.#dropbear.isRunning,
      fingerprint: this.#fingerprint,
      keys: keys.map((key) => ({ ...key, fingerprint: fingerprintOf(key.base64) })),
    };
  }

  /** Forgets the host key: a device that begins anew is another one. */
  reset(): void {
    const { disk } = this.#ports.hostKey;
    disk.remove(HOST_KEY);
    disk.sync();
    this.#fingerprint = undefined;
  }

  close(): void {
    this.#dropbear.want(undefined);
    this.#closing?.cancel();
    this.#terminals?.close();
    this.#passwords?.close();
  }

  #spec({ address, port, passwordLogin }: SshSettings): Parameters<Daemon["want"]>[0] {
    const { folder, hostKey, passwordChecker } = this.#ports;
    const listen = `${address === undefined ? "0.0.0.0" : formatIpv4(address)}:${port}`;
    return {
      program: "env",
      arguments: [
        ...[`LD_PRELOAD=${passwordChecker}`, `CULVERT_PASSWORD_SOCKET=${this.#passwordSocket}`, "dropbear"],
        // In the foreground, log to us, no message of the day.
        ...["-F", "-E", "-m", "-P", `${folder}/dropbear.pid`],
        // No root, no forwarding in either direction.
        ...["-w", "-j", "-k", "-T", MOST_TRIES, "-K", KEEPALIVE_S],
        ...(passwordLogin ? [] : ["-s"]),
        ...["-r", `${hostKey.folder}/${HOST_KEY}`, "-p", listen],
      ],
      files: new Map(),
    };
  }

  get #passwordSocket(): string {
    return `${this.#ports.folder}/password`;
  }

  #listen(): void {
    const { local, home, log } = this.#ports;
    const failed = (error: SystemError): void => log.write("error", "ssh", error.message);
    this.#passwords ??= local.listen(this.#passwordSocket, (socket) => this.#question(socket), failed);
    const serve = this.#serve;
    if (serve !== undefined) this.#terminals ??= local.listen(`${home}/terminal`, serve, failed);
  }

  #closeLater(): void {
    if (this.#passwords === undefined || this.#closing !== undefined) return;
    this.#closing = this.#ports.timers.after(LINGER_MS, () => {
      this.#closing = undefined;
      this.#passwords?.close();
      this.#passwords = undefined;
      this.#terminals?.close();
      this.#terminals = undefined;
    });
  }

  /** One password from `check-password.c`: it and a NUL, and `y` or `n` back. */
  #question(socket: LocalSocket): LocalSocketEvents {
    let asked = Buffer.alloc(0);
    let isAsked = false;
    return {
      data: (bytes) => {
        if (isAsked) return;
        asked = Buffer.concat([asked, bytes]);
        const end = asked.indexOf(0);
        if (end < 0) {
          if (asked.length > LONGEST_PASSWORD_BYTES) socket.destroy();
          return;
        }
        isAsked = true;
        this.#check(asked.toString("utf8", 0, end), socket);
      },
      drained: () => {},
      closed: () => {},
    };
  }

  #check(password: string, socket: LocalSocket): void {
    const { administrator, log } = this.#ports;
    const mayTry = this.#settings?.passwordLogin === true;
    const attempt = mayTry ? administrator.tryPassword(password, "ssh") : Promise.resolve({ result: "wrong" } as const);
    attempt.then(
      (made) => {
        if (made.result === "wait")
          this.#warn(`too many wrong passwords: none is looked at for ${Math.ceil(made.waitMs / 1000)} s`);
        socket.write(Buffer.from(made.result === "right" ? "y" : "n"));
        socket.end();
      },
      (error: Error) => {
        log.write("error", "ssh", `the password could not be checked: ${error.message}`);
        socket.destroy();
      },
    );
  }

  /** The host key's fingerprint; the key is made if there is none, or one that dropbear could not read. */
  #hostKey(): string {
    const { hostKey, random, log } = this.#ports;
    const stored = hostKey.disk.read(HOST_KEY);
    const known = stored && publicHostKey(stored);
    if (known !== undefined) return fingerprintOf(known);
    if (stored !== undefined) log.write("error", "ssh", "the host key was damaged: a new one takes its place");
    const made = emitHostKey(random.bytes(SEED_BYTES));
    replaceFile(hostKey.disk, HOST_KEY, made);
    const fingerprint = fingerprintOf(publicHostKey(made) ?? "");
    log.write("info", "ssh", `a new host key was made: ${fingerprint}`);
    return fingerprint;
  }

  /** Dropbear's own words become ours; those about strangers are limited, since strangers choose how many there are. */
  #heard(line: string): void {
    const said = line.replace(/^\[\d+\] \w{3} +\d+ [\d:]{8} /, "");
    const [, how, key, from] =
      /^(Password|Pubkey) auth succeeded for '[^']*' (?:with \S+ key (\S+) )?from ([\d.]+):\d+$/.exec(said) ?? [];
    if (how !== undefined && from !== undefined) {
      const name = this.view().keys.find(({ fingerprint }) => fingerprint === key)?.name;
      const means = how === "Password" ? "the password" : `the key ${name ?? key}`;
      this.#ports.log.write("info", "ssh", `${from} logged in with ${means}`);
      return;
    }
    if (USUAL.test(said)) return;
    this.#warn(said);
  }

  #warn(text: string): void {
    const { log, clock } = this.#ports;
    const { admitted, suppressed } = this.#strangers.admit(clock.now());
    if (suppressed > 0) log.write("warning", "ssh", `${suppressed} more such messages in the last minute`);
    if (admitted) log.write("warning", "ssh", text);
  }
}

function authorizedKeys(keys: readonly AuthorizedKey[]): string {
  return keys.map(({ name, type, base64 }) => `${RESTRICTIONS} ${type} ${base64} ${name}\n`).join("");
}

/** As `ssh` and `ssh-keygen -l` show it. */
function fingerprintOf(base64: string): string {
  const digest = createHash("sha256").update(Buffer.from(base64, "base64")).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}
