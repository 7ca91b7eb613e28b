/** The contract of DatagramTransport on the network in memory. On node:dgram: test/system/linux-datagram.test.ts. */
import assert from "node:assert/strict";
import { parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { datagramContract } from "../support/datagram-contract.ts";
import { FakeDatagramNet } from "../support/fake-datagrams.ts";

datagramContract("fake", new FakeDatagramNet().host(parseIpv4("127.0.0.1") ?? assert.fail()));
