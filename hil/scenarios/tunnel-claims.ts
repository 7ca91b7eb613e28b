/** What several suites claim of a tunnel: pings, checksummed transfers, ciphertext on the Internet side. */
import { execa } from "execa";
import type { Link } from "../net/link.ts";
import { inspectTunnel } from "../net/tunnel-traffic.ts";
import type { Agreement } from "../peers/pppd.ts";
import type { FetchedFile, OfferedFile, PingResult } from "../peers/traffic.ts";
import { check, type Step } from "../scenario.ts";

/** A peer that traffic can be sent from and to. */
export interface TrafficPeer {
  ping(target: string): Promise<PingResult>;
  offerFile(bytes: number): Promise<OfferedFile>;
  fetchFile(from: string): Promise<FetchedFile>;
}

/** Every ping is answered. */
export async function pingAll(from: TrafficPeer, target: string): Promise<void> {
  const { sent, received } = await from.ping(target);
  check(received === sent, `${received} of ${sent} pings to ${target} were answered`);
}

const READY_ROUNDS = 5;

/** Every ping of a round is answered, in the fifth at the latest: what has just been set up may need its time. */
export async function untilReached(from: TrafficPeer, target: string): Promise<void> {
  for (let round = 1; round < READY_ROUNDS; round++) {
    const { sent, received } = await from.ping(target);
    if (received === sent) return;
  }
  await pingAll(from, target);
}

/** `from` offers `bytes` random bytes, `to` fetches them, and both ends have the same checksum. */
export async function transfer(from: TrafficPeer, fromAddress: string, to: TrafficPeer, bytes: number): Promise<void> {
  const offered = await from.offerFile(bytes);
  const fetched = await to.fetchFile(fromAddress);
  check(fetched.bytes === offered.bytes, `${fetched.bytes} of ${offered.bytes} bytes arrived`);
  check(
    fetched.sha256 === offered.sha256,
    `all bytes arrived, but altered: SHA-256 ${fetched.sha256} instead of ${offered.sha256}`,
  );
}

/** One end of a call shows what it should: `end` names it. */
export function agreedTo(end: string, found: Agreement | undefined, wanted: Agreement): void {
  check(found !== undefined, `${end} shows no agreement`);
  const words = ({ authentication, receives, sends }: Agreement): string =>
    `${authentication}, receives ${receives}, sends ${sends}`;
  check(words(found) === words(wanted), `${end} shows ${words(found)} instead of ${words(wanted)}`);
}

/** Interfaces, routes and processes of an ended call are gone on this peer; `who` is its part in the sentence. */
export async function nothingLeftOn(
  peer: { leftovers(): Promise<readonly string[]> },
  who: string,
  step: Step,
): Promise<void> {
  await step(`no interface, route or process is left on ${who}`, async () => {
    const left = await peer.leftovers();
    check(left.length === 0, `left behind on ${who}: ${left.join(", ")}`);
  });
}

/** Fewer packets than this do not stand for a transfer. */
const LEAST_PACKETS = 100;
/** The request line of every transfer: nobody on the way may read it when the tunnel is encrypted. */
const SECRETS = ["GET /file"];

/**
 * The capture of `link` shows the tunnel encrypted and nothing of the transfer; a second opinion comes from tshark if it
 * is installed. The first `before` frames belong to other calls.
 */
export async function onlyCiphertext(link: Link, inside: string, step: Step, before = 0): Promise<void> {
  await step(`the capture of link ${link.name} shows encrypted packets and no clear ones`, () => {
    const traffic = inspectTunnel(link.capture.read(), SECRETS, before);
    const examples = traffic.clear.slice(0, 5).map(({ frame, why }) => `  frame ${frame}: ${why}`);
    check(
      traffic.clear.length === 0,
      `${traffic.clear.length} frames of ${link.capture.path} can be read by anyone:\n${examples.join("\n")}`,
    );
    check(
      traffic.encrypted >= LEAST_PACKETS,
      `only ${traffic.encrypted} encrypted frames in ${link.capture.path}: the transfer went another way`,
    );
  });
  const version = await execa("tshark", ["--version"], { reject: false });
  if (version.failed) {
    await step("tshark is not installed: no second opinion on the capture", () => {});
    return;
  }
  await step(`tshark finds no packet of ${inside} on link ${link.name}`, async () => {
    const filter = `frame.number > ${before} && ip.addr == ${inside}`;
    const { stdout } = await execa("tshark", ["-r", link.capture.path, "-Y", filter]);
    const frames = stdout.split("\n").filter((line) => line !== "");
    check(frames.length === 0, `tshark reads ${frames.length} clear packets, first:\n${frames.slice(0, 3).join("\n")}`);
  });
}

/** The capture of `link` shows the transfer in the clear, as it must without encryption, from frame `before` + 1 on. */
export async function onlyCleartext(link: Link, step: Step, before: number): Promise<void> {
  await step(`the capture of link ${link.name} shows the transfer in the clear, nothing encrypted`, () => {
    const { encrypted, clear } = inspectTunnel(link.capture.read(), SECRETS, before);
    check(encrypted === 0, `${encrypted} frames of ${link.capture.path} are encrypted`);
    check(
      clear.length >= LEAST_PACKETS,
      `only ${clear.length} clear frames in ${link.capture.path}: the transfer went another way`,
    );
  });
}
