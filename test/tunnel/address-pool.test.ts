/** Which session gets which address. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AddressPool } from "../../appliance/tunnel/address-pool.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";

function pool(start: number, count: number): AddressPool {
  const made = new AddressPool();
  made.resize({ start: Ipv4(start), count });
  return made;
}
const takeAll = (from: AddressPool, count: number) => Array.from({ length: count }, () => from.take(undefined));

test("addresses are handed out in order until none is left", () => {
  const three = pool(100, 3);
  assert.deepEqual(takeAll(three, 4), [100, 101, 102, undefined]);
  assert.deepEqual([three.size, three.taken], [3, 3]);
});

test("a released address comes last: old connections of the leaving peer do not meet a stranger", () => {
  const three = pool(100, 3);
  takeAll(three, 2);
  three.release(Ipv4(100));
  assert.deepEqual(takeAll(three, 2), [102, 100]);
});

test("an address released twice, or never taken, is still one address", () => {
  const two = pool(100, 2);
  const [first] = takeAll(two, 1);
  for (let again = 0; again < 3; again++) two.release(first ?? Ipv4(0));
  two.release(Ipv4(7));
  assert.deepEqual(takeAll(two, 3), [101, 100, undefined]);
});

test("a fixed address is given once, inside the pool or outside", () => {
  const two = pool(100, 2);
  assert.equal(two.take(Ipv4(100)), 100);
  assert.equal(two.take(Ipv4(100)), undefined);
  assert.equal(two.take(Ipv4(7)), 7);
  assert.equal(two.take(Ipv4(7)), undefined);
  assert.deepEqual(takeAll(two, 2), [101, undefined], "100 is in use");
  two.release(Ipv4(7));
  assert.equal(two.take(Ipv4(7)), 7);
  assert.deepEqual(takeAll(two, 1), [undefined], "7 never joined the pool");
});

test("an address that an account owns is not given to others", () => {
  const two = pool(100, 2);
  two.reserve([Ipv4(100), Ipv4(7)]);
  assert.deepEqual(takeAll(two, 2), [101, undefined]);
  assert.equal(two.take(Ipv4(100)), 100);
  two.release(Ipv4(100));
  two.reserve([]);
  assert.deepEqual(takeAll(two, 1), [100]);
});

test("a new range leaves addresses in use with their sessions", () => {
  const changing = pool(100, 2);
  takeAll(changing, 2);
  changing.resize({ start: Ipv4(101), count: 2 });
  assert.deepEqual(takeAll(changing, 2), [102, undefined], "101 is in use still");
  changing.release(Ipv4(100));
  assert.deepEqual(takeAll(changing, 1), [undefined], "100 is no longer in the pool");
  changing.release(Ipv4(101));
  assert.deepEqual(takeAll(changing, 1), [101]);
});

test("the same range again keeps the order of use", () => {
  const same = pool(100, 3);
  takeAll(same, 1);
  same.release(Ipv4(100));
  same.resize({ start: Ipv4(100), count: 3 });
  assert.deepEqual(takeAll(same, 1), [101]);
});

test("whatever is taken and released: no address twice, none lost", () =>
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant("take" as const), fc.nat(7))), (steps) => {
      const some = pool(100, 5);
      const held: Ipv4[] = [];
      for (const step of steps) {
        if (step !== "take") for (const address of held.splice(step, 1)) some.release(address);
        else {
          const address = some.take(undefined);
          assert.equal(address === undefined, held.length === 5);
          if (address === undefined) continue;
          assert.ok(!held.includes(address) && address >= 100 && address < 105);
          held.push(address);
        }
        assert.equal(some.taken, held.length);
      }
    }),
  ));
