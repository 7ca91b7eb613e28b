/** What a real Windows is asked, as PowerShell scripts. Each prints one JSON value, or nothing; names and words are literals. */
import { literal, nativeArgument } from "./powershell.ts";
import type { AuthenticationMethod, EncryptionLevel } from "./versions.ts";

/** The connection's name in the phone book of all users: the agent is LocalSystem, ssh is somebody else. */
export const CONNECTION = "culvert-lab";
/** Firewall rules of ours begin with this. */
const RULES = "culvert-lab";
export const FILE_PORT = 8000;
const FOLDER = "$env:ProgramData\\culvert-lab";

/** Ends and removes what an earlier run left. */
export function cleanScript(): string {
  return [
    `rasdial.exe ${literal(CONNECTION)} /disconnect | Out-Null`,
    `Get-VpnConnection -AllUserConnection -ErrorAction SilentlyContinue | Where-Object Name -eq ${literal(CONNECTION)} | Remove-VpnConnection -Force`,
  ].join("\n");
}

/** Firewall, server and files too: nothing of the lab is left. */
export function farewellScript(): string {
  return [
    cleanScript(),
    `Get-NetFirewallRule -DisplayName '${RULES}*' -ErrorAction SilentlyContinue | Remove-NetFirewallRule`,
    `Get-CimInstance Win32_Process -Filter "CommandLine LIKE '%culvert-lab%serve.ps1%'" | Where-Object ProcessId -ne $PID | Invoke-CimMethod -MethodName Terminate | Out-Null`,
    `Remove-Item -Recurse -Force "${FOLDER}" -ErrorAction SilentlyContinue`,
  ].join("\n");
}

/** `{"version": "10.0.19045", "name": "LAB-PC"}` */
export function greetingScript(): string {
  return [
    "$os = Get-CimInstance Win32_OperatingSystem",
    "@{ version = $os.Version; caption = $os.Caption; name = $env:COMPUTERNAME } | ConvertTo-Json -Compress",
  ].join("\n");
}

/** Gives the lab's NIC its address, and lets pings and our file server in. `mac` is `02-43-00-00-F0-01`. */
export function networkScript(mac: string, address: string, prefixLength: number, gateway: string | undefined): string {
  const route = gateway === undefined ? "" : ` -DefaultGateway ${literal(gateway)}`;
  return [
    `$nic = Get-NetAdapter | Where-Object MacAddress -eq ${literal(mac)}`,
    `if ($null -eq $nic) { throw 'there is no network card ${mac}' }`,
    "Set-NetIPInterface -InterfaceIndex $nic.ifIndex -AddressFamily IPv4 -Dhcp Disabled",
    "Get-NetIPAddress -InterfaceIndex $nic.ifIndex -AddressFamily IPv4 -ErrorAction SilentlyContinue | Remove-NetIPAddress -Confirm:$false",
    `New-NetIPAddress -InterfaceIndex $nic.ifIndex -IPAddress ${literal(address)} -PrefixLength ${prefixLength}${route} | Out-Null`,
    `New-NetFirewallRule -DisplayName '${RULES} ping' -Protocol ICMPv4 -IcmpType 8 -Action Allow | Out-Null`,
    `New-NetFirewallRule -DisplayName '${RULES} file' -Protocol TCP -LocalPort ${FILE_PORT} -Action Allow | Out-Null`,
  ].join("\n");
}

export interface ConnectionWords {
  readonly server: string;
  readonly encryption: EncryptionLevel;
  readonly authentication: readonly AuthenticationMethod[];
  readonly routes: readonly string[];
  readonly usesDefaultGateway: boolean;
}

/** Makes the connection and prints the time on the Windows' own clock, from which its events count. */
export function connectionScript(words: ConnectionWords): string {
  const name = literal(CONNECTION);
  return [
    cleanScript(),
    `Add-VpnConnection -Name ${name} -ServerAddress ${literal(words.server)} -TunnelType Pptp -EncryptionLevel ${words.encryption} -AuthenticationMethod ${words.authentication.join(",")} -AllUserConnection${words.usesDefaultGateway ? "" : " -SplitTunneling"} -Force`,
    ...words.routes.map(
      (route) =>
        `Add-VpnConnectionRoute -ConnectionName ${name} -DestinationPrefix ${literal(route)} -AllUserConnection`,
    ),
    "ConvertTo-Json (Get-Date).ToUniversalTime().ToString('o')",
  ].join("\n");
}

/** The exit code is rasdial's own: 0 or the RAS error. */
export function dialScript(user: string, password: string): string {
  const words = [literal(CONNECTION), nativeArgument(user), nativeArgument(password)].join(" ");
  return [`rasdial.exe ${words}`, "$code = $LASTEXITCODE"].join("\n");
}

export function hangUpScript(): string {
  return [`rasdial.exe ${literal(CONNECTION)} /disconnect`, "$code = $LASTEXITCODE"].join("\n");
}

/** The tunnel's interface: `{"address", "mtu", "dns": [], "routes": []}`; `null` when there is none. */
export function statusScript(): string {
  const alias = literal(CONNECTION);
  return [
    `$address = Get-NetIPAddress -InterfaceAlias ${alias} -AddressFamily IPv4 -ErrorAction SilentlyContinue`,
    "if ($null -eq $address) { 'null' } else {",
    `  $interface = Get-NetIPInterface -InterfaceAlias ${alias} -AddressFamily IPv4`,
    `  $dns = (Get-DnsClientServerAddress -InterfaceAlias ${alias} -AddressFamily IPv4).ServerAddresses`,
    `  $routes = (Get-NetRoute -InterfaceAlias ${alias} -AddressFamily IPv4).DestinationPrefix`,
    "  @{ address = $address.IPAddress; mtu = $interface.NlMtu; dns = @($dns); routes = @($routes) } | ConvertTo-Json -Compress",
    "}",
  ].join("\n");
}

/** RasClient's events since an instant of Windows' own clock, oldest first. */
export function eventsScript(since: string): string {
  return [
    `$since = [DateTime]::Parse(${literal(since)}, $null, 'RoundtripKind')`,
    "$found = Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = 'RasClient'; StartTime = $since } -ErrorAction SilentlyContinue",
    "ConvertTo-Json -Compress @($found | Sort-Object RecordId | Select-Object Id, Message)",
  ].join("\n");
}

/** `{"sent", "received"}`. */
export function pingScript(target: string, count: number): string {
  return [
    "$ping = New-Object System.Net.NetworkInformation.Ping",
    `$good = @(1..${count} | Where-Object { $ping.Send(${literal(target)}, 5000).Status -eq 'Success' }).Count`,
    `@{ sent = ${count}; received = $good } | ConvertTo-Json -Compress`,
  ].join("\n");
}

/** Makes a file of random bytes and serves it by HTTP in a process of its own. `{"bytes", "sha256"}`. */
export function offerScript(bytes: number): string {
  const server = [
    `$l = New-Object System.Net.Sockets.TcpListener ([System.Net.IPAddress]::Any), ${FILE_PORT}`,
    "$l.Start()",
    "while ($true) {",
    "  $c = $l.AcceptTcpClient(); $s = $c.GetStream()",
    "  $null = $s.Read((New-Object byte[] 4096), 0, 4096)",
    '  $f = [IO.File]::ReadAllBytes("$PSScriptRoot\\file")',
    '  $h = [Text.Encoding]::ASCII.GetBytes("HTTP/1.0 200 OK`r`nContent-Length: $($f.Length)`r`n`r`n")',
    "  try { $s.Write($h, 0, $h.Length); $s.Write($f, 0, $f.Length) } catch { } finally { $c.Close() }",
    "}",
  ].join("\n");
  return [
    `$folder = "${FOLDER}"`,
    "New-Item -ItemType Directory -Force $folder | Out-Null",
    `$bytes = New-Object byte[] ${bytes}`,
    "[Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($bytes)",
    '[IO.File]::WriteAllBytes("$folder\\file", $bytes)',
    `if (-not (Get-NetTCPConnection -LocalPort ${FILE_PORT} -State Listen -ErrorAction SilentlyContinue)) {`,
    `  Set-Content "$folder\\serve.ps1" ${literal(server)}`,
    // A process that outlives this one: sshd ends its children.
    `  Invoke-CimMethod Win32_Process -MethodName Create -Arguments @{ CommandLine = "powershell.exe -NoProfile -ExecutionPolicy Bypass -File $folder\\serve.ps1" } | Out-Null`,
    "}",
    `@{ bytes = ${bytes}; sha256 = (Get-FileHash "$folder\\file" -Algorithm SHA256).Hash.ToLower() } | ConvertTo-Json -Compress`,
  ].join("\n");
}

/** `{"bytes", "sha256", "seconds"}`. */
export function fetchScript(url: string): string {
  return [
    '$file = "$env:TEMP\\culvert-lab-fetched"',
    `$took = Measure-Command { Invoke-WebRequest -UseBasicParsing -TimeoutSec 600 -OutFile $file ${literal(url)} }`,
    "$hash = (Get-FileHash $file -Algorithm SHA256).Hash.ToLower()",
    "@{ bytes = (Get-Item $file).Length; sha256 = $hash; seconds = $took.TotalSeconds } | ConvertTo-Json -Compress",
    "Remove-Item $file",
  ].join("\n");
}

/** Calls, interfaces and routes that are still there, as a JSON array of words. */
export function leftoversScript(): string {
  const alias = literal(CONNECTION);
  return [
    `$left = @(Get-NetIPAddress -InterfaceAlias ${alias} -ErrorAction SilentlyContinue | ForEach-Object { "address $($_.IPAddress)" })`,
    `$left += @(Get-NetRoute -InterfaceAlias ${alias} -ErrorAction SilentlyContinue | ForEach-Object { "route $($_.DestinationPrefix)" })`,
    `$left += @(Get-VpnConnection -AllUserConnection | Where-Object { $_.Name -eq ${alias} -and $_.ConnectionStatus -ne 'Disconnected' } | ForEach-Object { "connection $($_.ConnectionStatus)" })`,
    "ConvertTo-Json -Compress @($left)",
  ].join("\n");
}
