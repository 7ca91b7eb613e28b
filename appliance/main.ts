/** The firmware's program: builds the ports on Linux, puts the services on them, and starts the console. */
import process from "node:process";
import { startConsole } from "./cli/console.ts";
import { startRemote } from "./cli/remote.ts";
import { folderDisk } from "./config/disk.ts";
import { ConfigStore } from "./config/store.ts";
import { kernelClock, kernelWallClock } from "./linux/clock.ts";
import { tcpControlTransport } from "./linux/control-transport.ts";
import { datagramTransport } from "./linux/datagram-transport.ts";
import { readText, runningSystem } from "./linux/firmware.ts";
import { blockFlash, systemFlashPlaces } from "./linux/flash.ts";
import { greTransport } from "./linux/gre-socket.ts";
import { startHeartbeat } from "./linux/heartbeat.ts";
import { endOnError } from "./linux/last-words.ts";
import { localTransport } from "./linux/local-transport.ts";
import { kernelMachine } from "./linux/machine.ts";
import { kernelNet } from "./linux/net.ts";
import { kernelMessages, networkCards } from "./linux/network-cards.ts";
import { initPower } from "./linux/power.ts";
import { systemPrograms } from "./linux/programs.ts";
import { kernelRandom } from "./linux/random.ts";
import { sendTransport, udpTransport } from "./linux/send-transport.ts";
import { logStartNotes } from "./linux/start-notes.ts";
import { loopTimers } from "./linux/timers.ts";
import { loadAddon } from "./native/addon.ts";
import { Administrator } from "./service/administrator.ts";
import { Appliance } from "./service/appliance.ts";
import { describeFirmware } from "./service/firmware.ts";
import { complaints } from "./service/health.ts";
import { Journal } from "./service/journal.ts";
import { Network } from "./service/network.ts";
import { Ports } from "./service/ports.ts";
import { Router } from "./service/router.ts";
import { SshService } from "./service/ssh.ts";
import { CRASHED, parseLives, Supervision } from "./service/supervision.ts";
import { Tracer } from "./service/trace.ts";
import { Updates } from "./service/updates.ts";
import { VpnService } from "./service/vpn.ts";
import { BUILD_RECORD_PATH } from "./update/build-record.ts";
import { PORT_TABLE_PATH, parsePortTable } from "./update/port-table.ts";

/** The partition that outlives updates. */
const DEFAULT_DATA_FOLDER = "/data";
/** What daemons are told: gone at a restart. */
const DEFAULT_RUN_FOLDER = "/run/culvert";
/** The home folder of the account for remote logins, as /etc/passwd has it. */
const DEFAULT_LOGIN_FOLDER = "/run/admin";
const LEASE_SCRIPT = "/usr/lib/culvert/report-lease";
const PASSWORD_CHECKER = "/usr/lib/culvert/check-password.so";
const STDOUT = 1;
/** The longest interval there is. */
const FOREVER_MS = 0x7fffffff;

function main(): void {
  const {
    CULVERT_DATA: dataFolder = DEFAULT_DATA_FOLDER,
    CULVERT_RUN: runFolder = DEFAULT_RUN_FOLDER,
    CULVERT_LOGIN: loginFolder = DEFAULT_LOGIN_FOLDER,
    CULVERT_RESTARTS: restarts,
    CULVERT_LAST_END: lastEnd,
  } = process.env;
  const wallClock = (): Date => new Date();
  const journal = new Journal(wallClock);
  const addon = loadAddon();
  const random = kernelRandom(addon);
  const net = kernelNet(addon);
  const tracer = new Tracer(wallClock);
  const disk = folderDisk(`${dataFolder}/config`);
  const administrator = new Administrator(disk, kernelClock, random);
  const firmware = describeFirmware(runningSystem(BUILD_RECORD_PATH));
  const power = initPower(journal);
  let consoleStarted = false;
  const updates = new Updates({
    flash: blockFlash(systemFlashPlaces()),
    board: firmware.build?.board,
    complaints: (expected) =>
      complaints(appliance.running, expected, {
        net,
        control: tcpControlTransport,
        timers: loopTimers,
        consoleStarted: () => consoleStarted,
      }),
    net,
    disk: folderDisk(`${dataFolder}/update`),
    runDisk: folderDisk(runFolder),
    power,
    clock: kernelClock,
    timers: loopTimers,
    log: journal,
  });
  const supervision = new Supervision({
    disk: folderDisk(`${dataFolder}/system`),
    machine: kernelMachine(),
    journal,
    wallClock,
    version: firmware.version,
    lives: parseLives(restarts, lastEnd),
  });
  const appliance = new Appliance({
    store: new ConfigStore(disk),
    administrator,
    router: new Router({
      net,
      network: new Network(net, journal),
      programs: systemPrograms,
      timers: loopTimers,
      clock: kernelClock,
      wallClock: kernelWallClock(addon),
      random,
      udp: udpTransport,
      tcp: sendTransport,
      log: journal,
      journal,
      disk: folderDisk(runFolder),
      folder: runFolder,
      leaseScript: LEASE_SCRIPT,
      leases: { disk: folderDisk(`${dataFolder}/dhcp`), folder: `${dataFolder}/dhcp` },
    }),
    ports: new Ports({
      net,
      cards: networkCards,
      messages: kernelMessages,
      table: parsePortTable(readText(PORT_TABLE_PATH) ?? ""),
      log: journal,
    }),
    ssh: new SshService({
      administrator,
      programs: systemPrograms,
      local: localTransport,
      random,
      timers: loopTimers,
      clock: kernelClock,
      log: journal,
      disk: folderDisk(runFolder),
      folder: runFolder,
      home: loginFolder,
      keys: folderDisk(`${loginFolder}/.ssh`, "everybody"),
      hostKey: { disk: folderDisk(`${dataFolder}/ssh`), folder: `${dataFolder}/ssh` },
      passwordChecker: PASSWORD_CHECKER,
    }),
    vpn: new VpnService({
      clock: kernelClock,
      random,
      timers: loopTimers,
      net,
      gre: tracer.gre(greTransport(addon)),
      control: tracer.control(tcpControlTransport),
      datagrams: datagramTransport,
      log: journal,
    }),
    net,
    tracer,
    journal,
    power,
    clock: kernelClock,
    timers: loopTimers,
    wallClock,
    firmware,
    supervision,
    updates,
  });

  process.once("SIGTERM", () => {
    journal.write("info", "system", "stopping");
    appliance.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });

  endOnError(
    CRASHED,
    (error) => supervision.crashed(error),
    () => appliance.close(),
  );

  // A router with its VPN off and its console gone has nothing to wait for, and must not end for that.
  process.exitCode = 1;
  setInterval(() => {}, FOREVER_MS);

  startRemote(appliance, loopTimers);
  logStartNotes(journal);
  appliance.start();
  const console = startConsole(appliance, process.stdin, STDOUT);
  consoleStarted = true;
  void updates.start();
  startHeartbeat(`${runFolder}/heartbeat`, loopTimers);
  // A serial line that loses its carrier sends SIGHUP; the router does not stop for that.
  process.on("SIGHUP", () => console.hangUp());
}

main();
