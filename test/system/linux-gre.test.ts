/** The GRE port's contract on the kernel's raw socket, and what only a real one shows. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { greTransport } from "../../appliance/linux/gre-socket.ts";
import { parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { greContract } from "../support/gre-contract.ts";
import { Inbox } from "../support/inbox.ts";
import { hostAddon } from "../support/native.ts";
import { inNetworkNamespace } from "../support/network-namespace.ts";

await inNetworkNamespace(async () => {
  const addon = await hostAddon();
  greContract("kernel", () => greTransport(addon));

  test("a packet larger than a slot is dropped, and the next one arrives", { timeout: 10_000 }, async () => {
    const arrived = new Inbox<number>();
    const socket = greTransport(addon).open(() => socket.receive((_, packet) => arrived.put(packet.length)));
    const here = parseIpv4("127.0.0.1") ?? assert.fail();
    socket.send(here, here, Buffer.alloc(3000));
    socket.send(here, here, Buffer.alloc(1500));
    socket.flush();
    assert.equal(await arrived.next(), 1500);
    socket.close();
  });
});
