/** The lab's ways to real wires, in a network namespace: a bridged card (one end of a veth pair) and crafted GRE. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { promises as dns } from "node:dns";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { greTransport } from "../../appliance/linux/gre-socket.ts";
import { formatIpv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { systemClock } from "../../hil/clock.ts";
import { CaptureFile } from "../../hil/net/capture-file.ts";
import { CraftedGre } from "../../hil/net/crafted-gre.ts";
import { joinedPorts } from "../../hil/net/joined-ports.ts";
import { Link } from "../../hil/net/link.ts";
import { NicPort, staleBridges, takeStaleBridgesAway } from "../../hil/net/nic-port.ts";
import { serviceHost } from "../../hil/net/services/service-host.ts";
import { EventList } from "../hil/event-list.ts";
import { hostAddon } from "../support/native.ts";
import { inNetworkNamespace } from "../support/network-namespace.ts";

const ip = (words: string): string => execFileSync("ip", words.split(" "), { encoding: "utf8" });

await inNetworkNamespace(() => {
  const folder = mkdtempSync(join(tmpdir(), "culvert-nic-"));
  after(() => rmSync(folder, { recursive: true }));
  const clock = systemClock();
  ip("link add nic0 type veth peer name far0");
  ip("address add 10.9.0.2/24 dev far0");
  ip("link set far0 up");

  /** A server in this process, and the card, on one link. */
  async function plugged() {
    const events = new EventList();
    const definition = serviceHost({
      address: "10.9.0.1/24",
      dns: { "vpn.example": "203.0.113.1" },
      dhcp: { from: "10.9.0.50", to: "10.9.0.59", dns: ["10.9.0.1"], domain: "lab.example", leaseSeconds: 600 },
    });
    const prepared = await definition.prepare(() => {});
    assert.ok(prepared.kind === "service");
    const ends = joinedPorts("server.eth0");
    const macs = { eth0: "02:43:00:00:09:01" };
    const service = prepared.start({ name: "server", nics: { eth0: ends.node }, macs, clock, journal: events });
    const nic = await NicPort.open("board.wan", "nic0");
    const capture = new CaptureFile(join(folder, "wire.pcapng"), ["server.eth0", "board.wan"], clock);
    const link = new Link("wire", [ends.link, nic], capture, { clock, journal: events });
    const close = async (): Promise<void> => {
      await nic.close();
      service.close();
      link.close();
      capture.close();
    };
    return { nic, capture, events, node: service.node, close };
  }

  test("a real host pings, resolves and gets an address through a bridged card; afterwards the card is as it was", async () => {
    const { nic, capture, node, close } = await plugged();
    const run = async (program: string, ...words: string[]): Promise<string> => {
      const child = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
      let output = "";
      child.stdout.on("data", (piece: Buffer) => {
        output += piece.toString("latin1");
      });
      const [status] = (await once(child, "close")) as [number | null];
      assert.equal(status, 0, `${program}: ${output}`);
      return output;
    };
    assert.match(await run("ping", "-c", "3", "-i", "0.2", "-W", "5", "10.9.0.1"), /3 received/);
    assert.match(await run("ping", "-c", "1", "-W", "5", "-s", "4000", "10.9.0.1"), /1 received/, "in fragments");

    const resolver = new dns.Resolver({ timeout: 5_000 });
    resolver.setServers(["10.9.0.1"]);
    assert.deepEqual(await resolver.resolve4("vpn.example"), ["203.0.113.1"]);
    await assert.rejects(resolver.resolve4("no.example"), { code: "ENOTFOUND" });

    const [script, lease] = [join(folder, "script"), join(folder, "lease")];
    writeFileSync(
      script,
      `#!/bin/sh\n[ "$1" = bound ] && echo "$ip $subnet $router $dns $domain $lease" > ${lease}\nexit 0\n`,
    );
    chmodSync(script, 0o755);
    await run("udhcpc", "-f", "-n", "-q", "-i", "far0", "-s", script, "-t", "5", "-T", "1");
    assert.equal(readFileSync(lease, "latin1").trim(), "10.9.0.50 255.255.255.0 10.9.0.1 10.9.0.1 lab.example 600");
    assert.equal(node.dhcp?.leases[0]?.state, "bound");

    const bridge = nic.bridge;
    assert.match(ip(`link show master ${bridge}`), /nic0/);
    await close();
    assert.ok(!ip("link show").includes(bridge), "the bridge is gone");
    assert.match(ip("link show dev nic0"), /state DOWN/);
    judge(join(folder, "wire.pcapng"));
    assert.ok(capture.frames > 20);
  });

  /** tshark, who knows these protocols better than we do, finds every checksum right and no packet malformed. */
  function judge(path: string): void {
    const checks = ["ip", "udp", "tcp"].flatMap((each) => ["-o", `${each}.check_checksum:TRUE`]);
    const bad = "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || icmp.checksum.status == 0";
    const found = execFileSync("tshark", ["-r", path, ...checks, "-Y", `eth.src == 02:43:00:00:09:01 && (${bad})`]);
    assert.equal(found.toString("latin1"), "");
    const seen = execFileSync("tshark", [
      "-r",
      path,
      "-Y",
      "eth.src == 02:43:00:00:09:01 && (dns || dhcp || icmp || arp)",
    ]);
    assert.ok(seen.toString("latin1").split("\n").length > 8, "tshark knows what the server sent");
  }

  test("a card that is missing, bridged, or this host's way to the world is refused with what to do", async () => {
    const refusal = (nic: string, message: RegExp) =>
      assert.rejects(NicPort.open("board.wan", nic), (error: Error & { faultClass?: string }) => {
        assert.equal(error.faultClass, "bench");
        assert.match(error.message, message);
        return true;
      });
    await refusal("nic9", /there is no network card nic9; there are .*nic0/);
    ip("link add other type bridge");
    ip("link set nic0 master other");
    await refusal("nic0", /in the bridge other already; to free it: ip link set dev nic0 nomaster/);
    ip("link delete other");
    ip("route add default via 10.9.0.1 dev far0");
    await refusal("far0", /this host reaches the world by far0/);
    ip("route delete default");
  });

  test("a bridge that a killed run left behind is found, and the next run takes it away", async () => {
    ip("link add cvtbrdead1 type bridge");
    ip("link set nic0 master cvtbrdead1");
    assert.deepEqual(await staleBridges(), ["cvtbrdead1"]);
    const { nic, close } = await plugged();
    assert.deepEqual(await staleBridges(), [], "a bridge in use is not stale");
    assert.ok(!ip("link show").includes("cvtbrdead1"));
    assert.ok(ip("link show").includes(nic.bridge));
    await close();
    assert.deepEqual(await takeStaleBridgesAway(), []);
  });

  test("a process that ends without closing leaves no bridge", () => {
    const program = `
      const { NicPort } = await import(${JSON.stringify(new URL("../../hil/net/nic-port.js", import.meta.url).href)});
      await NicPort.open("board.wan", "nic0");
      process.exit(7);`;
    assert.throws(() => execFileSync(process.execPath, ["--input-type=module", "-e", program]), { status: 7 });
    assert.ok(!ip("link show").includes("cvt"));
  });

  test("crafted GRE reaches a real socket, and what comes back is found by what it is", async () => {
    const crafted = await CraftedGre.open(clock);
    const here = parseIpv4("127.0.0.1") ?? assert.fail();
    const board = greTransport(await hostAddon()).open(() =>
      board.receive((source, packet) => {
        if (packet.length < 8 || packet.readUInt16BE(6) !== 7) return; // the loopback interface brings our own answer too
        const answer = Buffer.from(packet);
        answer.writeUInt16BE(8, 6);
        board.send(here, source, answer);
        board.flush();
      }),
    );
    await crafted.send("127.0.0.1", { callId: 7, sequence: 1, ack: undefined, payload: Buffer.from("crafted") });
    const answer = await crafted.next({ withinMs: 5_000, from: "127.0.0.1", matches: ({ gre }) => gre?.callId === 8 });
    assert.equal(answer.gre?.payload.toString(), "crafted");
    const ours = await crafted.next({ withinMs: 5_000 });
    assert.equal(ours.gre?.callId, 7);
    await crafted.send("127.0.0.1", Buffer.from("3081880b0000", "hex"));
    const broken = await crafted.next({ withinMs: 5_000, matches: ({ gre }) => gre === undefined });
    assert.equal(broken.bytes.toString("hex"), "3081880b0000");
    await assert.rejects(
      crafted.next({ withinMs: 50, from: formatIpv4(here), matches: ({ gre }) => gre?.callId === 99 }),
      {
        faultClass: "test",
        message: /^no such GRE packet from 127\.0\.0\.1 in 0\.\d s/,
      },
    );
    await assert.rejects(crafted.send("300.0.0.1", Buffer.alloc(4)), { faultClass: "bench" });
    board.close();
    crafted.close();
  });

  test("without root, both say what to do", () => {
    const url = (file: string): string => JSON.stringify(new URL(`../../hil/net/${file}.js`, import.meta.url).href);
    const program = `
      process.setgid(65534); process.setuid(65534);
      const { NicPort } = await import(${url("nic-port")});
      const { CraftedGre } = await import(${url("crafted-gre")});
      const { systemClock } = await import(${JSON.stringify(new URL("../../hil/clock.js", import.meta.url).href)});
      for (const open of [() => NicPort.open("board.wan", "nic0"), () => CraftedGre.open(systemClock())]) {
        await open().then(() => console.log("opened"), (error) => console.log(error.faultClass, error.message));
      }`;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
    assert.match(output, /^bench the network card nic0 cannot be bridged without root: sudo -E \S*node/);
    assert.match(output, /\nbench no raw socket for GRE: .*; run the same command as root, with sudo -E\n$/);
  });
});
