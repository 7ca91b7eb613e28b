/** The contract of ControlTransport on node:net, and the peer that never reads. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { tcpControlTransport } from "../../appliance/linux/control-transport.ts";
import type { ControlSocket } from "../../appliance/ports.ts";
import { parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { controlContract } from "../support/control-contract.ts";
import { Inbox } from "../support/inbox.ts";
import { inNetworkNamespace } from "../support/network-namespace.ts";

await inNetworkNamespace(() => {
  controlContract("node:net", tcpControlTransport);

  test("a peer that does not read is dropped before its queue grows large", { timeout: 20_000 }, async (t) => {
    const closed = new Inbox<string>();
    const accepted = new Inbox<ControlSocket>();
    const listener = tcpControlTransport.listen(
      1723,
      (socket) => {
        accepted.put(socket);
        return { data() {}, closed: (reason) => closed.put(reason ?? "orderly") };
      },
      (error) => assert.fail(error),
    );
    t.after(() => listener.close());
    const deaf = connect({ host: "127.0.0.1", port: 1723 });
    deaf.pause();
    deaf.on("error", () => {});
    t.after(() => deaf.destroy());
    const socket = await accepted.next();
    assert.equal(socket.peer, parseIpv4("127.0.0.1"));
    // The kernel takes a few megabytes on both sides; what it does not take is our queue.
    for (let written = 0; written < 64 << 20 && closed.size === 0; written += 65536) {
      socket.write(Buffer.alloc(65536));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await closed.next(), "the peer does not read what we send");
  });
});
