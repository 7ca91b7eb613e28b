/** tshark as the judge of the NAT box: every checksum of what it translated, and the Call IDs that it reads in there. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ControlMessage } from "../../appliance/wire/control-message.ts";
import { CaptureFile } from "../../hil/net/capture-file.ts";
import { emitIcmp, errorAbout, IcmpType } from "../../hil/net/ip/icmp.ts";
import { cutIntoFragments, IpProtocol } from "../../hil/net/ip/packet.ts";
import { natBox } from "../../hil/net/services/nat-box.ts";
import { serviceBench } from "../hil/service-bench.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-nat-"));
after(() => rmSync(folder, { recursive: true }));

function tshark(path: string, ...words: string[]): string[] {
  const checks = ["ip", "udp", "tcp"].flatMap((each) => ["-o", `${each}.check_checksum:TRUE`]);
  const output = execFileSync("tshark", ["-r", path, ...checks, ...words], { stdio: ["ignore", "pipe", "ignore"] });
  return output
    .toString("latin1")
    .split("\n")
    .filter((line) => line !== "");
}

test("what the NAT box sends has right checksums, and tshark reads the translated Call IDs", async () => {
  const bench = await serviceBench(
    natBox({ inside: "192.168.1.1/24", outside: { address: "203.0.113.7/24", mtu: 1400 }, gateway: "203.0.113.1" }),
  );
  const [one, two] = [bench.station("inside", "192.168.1.10"), bench.station("inside", "192.168.1.11")];
  const server = bench.station("outside", "203.0.113.1");
  const request: ControlMessage = {
    type: "outgoing-call-request",
    callId: 7,
    callSerialNumber: 1,
    minimumBps: 300,
    maximumBps: 1_000_000,
    bearerType: 3,
    framingType: 3,
    packetRecvWindowSize: 64,
    packetProcessingDelay: 0,
    phoneNumberLength: 0,
    phoneNumber: "",
    subaddress: Buffer.alloc(64),
  };
  const reply: ControlMessage = {
    type: "outgoing-call-reply",
    callId: 100,
    peersCallId: 7,
    resultCode: 1,
    errorCode: 0,
    causeCode: 0,
    connectSpeed: 1_000_000,
    packetRecvWindowSize: 64,
    packetProcessingDelay: 0,
    physicalChannelId: 0,
  };
  for (const [index, client] of [one, two].entries()) {
    client.tcp("203.0.113.1", [40_000, 1723], 0x02);
    client.control("203.0.113.1", [40_000, 1723], request);
    server.control("203.0.113.7", [1723, 40_000 + index], { ...reply, callId: 100 + index, peersCallId: 7 + index });
    client.gre("203.0.113.1", { callId: 100 + index });
    server.gre("203.0.113.7", { callId: 7 + index });
    client.ping("203.0.113.1", 5);
    client.udp("203.0.113.1", [5000, 9], "odd bytes");
    client.udp("203.0.113.1", [5000, 9], "x".repeat(1450));
  }
  for (const piece of cutIntoFragments(server.udpPacket("203.0.113.7", [9, 5001], "y".repeat(1450)), 700))
    server.send(piece);
  const sent = server.got.find((packet) => packet.protocol === IpProtocol.udp) ?? assert.fail();
  const error = errorAbout(sent, IcmpType.unreachable, 3) ?? assert.fail();
  server.send(server.packet("203.0.113.7", IpProtocol.icmp, emitIcmp(error)));

  const path = join(folder, "nat.pcapng");
  const capture = new CaptureFile(path, ["nat.inside", "nat.outside"], bench.clock);
  for (const frame of bench.frames("inside")) capture.record(0, frame);
  for (const frame of bench.frames("outside")) capture.record(1, frame);
  capture.close();

  const bad = ["ip", "udp", "tcp", "icmp"].map((each) => `${each}.checksum.status == 0`).join(" || ");
  assert.deepEqual(tshark(path, "-Y", `_ws.malformed || ${bad}`), []);
  const good = (protocol: string): number => tshark(path, "-Y", `${protocol}.checksum.status == 1`).length;
  assert.ok(good("tcp") >= 6 && good("udp") >= 5 && good("icmp") >= 3, "tshark has looked at the checksums");
  const fields = ["-T", "fields", "-e", "ip.dst", "-e", "pptp.call_id", "-e", "pptp.peer_call_id"];
  assert.deepEqual(tshark(path, "-Y", "pptp.control_message_type == 7 || pptp.control_message_type == 8", ...fields), [
    "192.168.1.10\t100\t7",
    "192.168.1.11\t101\t7",
    "203.0.113.1\t7\t",
    "203.0.113.1\t8\t",
  ]);
  const gre = ["-Y", "gre", "-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-e", "gre.key.call_id"];
  assert.deepEqual(tshark(path, ...gre), [
    "203.0.113.1\t192.168.1.10\t7",
    "203.0.113.1\t192.168.1.11\t7",
    "203.0.113.7\t203.0.113.1\t100",
    "203.0.113.7\t203.0.113.1\t101",
  ]);
});
