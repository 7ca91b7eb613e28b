/** The contract of ControlTransport on the network in memory. On node:net: test/system/linux-control.test.ts. */
import assert from "node:assert/strict";
import { parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { controlContract } from "../support/control-contract.ts";
import { FakeControlNet } from "../support/fake-control.ts";

controlContract("fake", new FakeControlNet().host(parseIpv4("127.0.0.1") ?? assert.fail()));
