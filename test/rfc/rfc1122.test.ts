/** Addresses a host cannot have, as the configuration refuses them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { leafAt } from "../../appliance/config/config.ts";
import { parseValue } from "../../appliance/config/value.ts";

test("RFC 1122 §3.2.1.3 this network, loopback, multicast and reserved addresses are no host's", () => {
  const leaf = leafAt("vpn server pool start");
  assert.ok(leaf);
  for (const address of ["0.0.0.1", "127.0.0.1", "224.0.0.5", "240.0.0.1", "255.255.255.255"])
    assert.equal(parseValue(leaf, [address]).ok, false, address);
  for (const address of ["10.0.0.1", "126.255.255.254", "128.0.0.1", "223.255.255.1"])
    assert.equal(parseValue(leaf, [address]).ok, true, address);
});
