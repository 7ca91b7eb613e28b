/** What several suites claim of a tunnel: pings, checksummed transfers, ciphertext on the Internet side. */
import { execa } from "execa";
import type { Link } from "../net/link.ts";
import { inspectTunnel } from "../net/tunnel-traffic.ts";
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

/** Fewer encrypted packets than this do not stand for a transfer. */
const LEAST_ENCRYPTED = 100;

/** The whole capture of `link` shows the tunnel encrypted and nothing of `secrets`; a second opinion comes from tshark if it is installed. */
export async function onlyCiphertext(
  link: Link,
  inside: string,
  secrets: readonly string[],
  step: Step,
): Promise<void> {
  await step(`the capture of link ${link.name} shows encrypted packets and no clear ones`, () => {
    const traffic = inspectTunnel(link.capture.read(), secrets);
    const examples = traffic.clear.slice(0, 5).map(({ frame, why }) => `  frame ${frame}: ${why}`);
    check(
      traffic.clear.length === 0,
      `${traffic.clear.length} frames of ${link.capture.path} can be read by anyone:\n${examples.join("\n")}`,
    );
    check(
      traffic.encrypted >= LEAST_ENCRYPTED,
      `only ${traffic.encrypted} encrypted frames in ${link.capture.path}: the transfer went another way`,
    );
  });
  const version = await execa("tshark", ["--version"], { reject: false });
  if (version.failed) {
    await step("tshark is not installed: no second opinion on the capture", () => {});
    return;
  }
  await step(`tshark finds no packet of ${inside} on link ${link.name}`, async () => {
    const { stdout } = await execa("tshark", ["-r", link.capture.path, "-Y", `ip.addr == ${inside}`]);
    const frames = stdout.split("\n").filter((line) => line !== "");
    check(frames.length === 0, `tshark reads ${frames.length} clear packets, first:\n${frames.slice(0, 3).join("\n")}`);
  });
}
