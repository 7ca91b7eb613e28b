/**
 * The answer file of an unattended Windows set-up, and the script that its first logon runs: one administrator, no questions,
 * the guest agent, OpenSSH and EMS, no sleep, no updates. Written from Microsoft's reference of unattend settings.
 */

export interface UnattendSettings {
  readonly user: string;
  readonly password: string;
  /** For media that ask for one; evaluation media do not. */
  readonly productKey: string | undefined;
  /** The public key that sshd accepts, one line. */
  readonly publicKey: string;
  readonly computerName: string;
}

const COMPONENT =
  'processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS"';

/** Autounattend.xml: UEFI, one disk, the first edition on the medium. */
export function unattendXml({ user, password, productKey, computerName }: UnattendSettings): string {
  const key = productKey === undefined ? "" : `<ProductKey><Key>${xml(productKey)}</Key></ProductKey>`;
  const bypass = ["BypassTPMCheck", "BypassSecureBootCheck", "BypassRAMCheck", "BypassCPUCheck"]
    .map(
      (name, index) =>
        `<RunSynchronousCommand wcm:action="add"><Order>${index + 1}</Order><Path>reg add HKLM\\SYSTEM\\Setup\\LabConfig /v ${name} /t REG_DWORD /d 1 /f</Path></RunSynchronousCommand>`,
    )
    .join("\n        ");
  return `<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend" xmlns:wcm="http://schemas.microsoft.com/WMIConfig/2002/State">
  <settings pass="windowsPE">
    <component name="Microsoft-Windows-International-Core-WinPE" ${COMPONENT}>
      <SetupUILanguage><UILanguage>en-US</UILanguage></SetupUILanguage>
      <InputLocale>en-US</InputLocale><SystemLocale>en-US</SystemLocale><UILanguage>en-US</UILanguage><UserLocale>en-US</UserLocale>
    </component>
    <component name="Microsoft-Windows-Setup" ${COMPONENT}>
      <RunSynchronous>
        ${bypass}
      </RunSynchronous>
      <DiskConfiguration>
        <Disk wcm:action="add">
          <DiskID>0</DiskID><WillWipeDisk>true</WillWipeDisk>
          <CreatePartitions>
            <CreatePartition wcm:action="add"><Order>1</Order><Type>EFI</Type><Size>128</Size></CreatePartition>
            <CreatePartition wcm:action="add"><Order>2</Order><Type>MSR</Type><Size>16</Size></CreatePartition>
            <CreatePartition wcm:action="add"><Order>3</Order><Type>Primary</Type><Extend>true</Extend></CreatePartition>
          </CreatePartitions>
          <ModifyPartitions>
            <ModifyPartition wcm:action="add"><Order>1</Order><PartitionID>1</PartitionID><Format>FAT32</Format></ModifyPartition>
            <ModifyPartition wcm:action="add"><Order>2</Order><PartitionID>3</PartitionID><Format>NTFS</Format><Letter>C</Letter></ModifyPartition>
          </ModifyPartitions>
        </Disk>
      </DiskConfiguration>
      <ImageInstall><OSImage><InstallTo><DiskID>0</DiskID><PartitionID>3</PartitionID></InstallTo>
        <InstallFrom><MetaData wcm:action="add"><Key>/IMAGE/INDEX</Key><Value>1</Value></MetaData></InstallFrom></OSImage></ImageInstall>
      <UserData><AcceptEula>true</AcceptEula>${key}</UserData>
      <DynamicUpdate><Enable>false</Enable></DynamicUpdate>
    </component>
  </settings>
  <settings pass="specialize">
    <component name="Microsoft-Windows-Shell-Setup" ${COMPONENT}>
      <ComputerName>${xml(computerName)}</ComputerName><TimeZone>UTC</TimeZone>
    </component>
    <component name="Microsoft-Windows-Deployment" ${COMPONENT}>
      <RunSynchronous>
        <RunSynchronousCommand wcm:action="add"><Order>1</Order><Path>reg add HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\OOBE /v BypassNRO /t REG_DWORD /d 1 /f</Path></RunSynchronousCommand>
      </RunSynchronous>
    </component>
  </settings>
  <settings pass="oobeSystem">
    <component name="Microsoft-Windows-Shell-Setup" ${COMPONENT}>
      <OOBE><HideEULAPage>true</HideEULAPage><HideOnlineAccountScreens>true</HideOnlineAccountScreens><HideWirelessSetupInOOBE>true</HideWirelessSetupInOOBE><ProtectYourPC>3</ProtectYourPC></OOBE>
      <UserAccounts><LocalAccounts>
        <LocalAccount wcm:action="add"><Name>${xml(user)}</Name><Group>Administrators</Group><Password><Value>${xml(password)}</Value><PlainText>true</PlainText></Password></LocalAccount>
      </LocalAccounts></UserAccounts>
      <AutoLogon><Enabled>true</Enabled><LogonCount>1</LogonCount><Username>${xml(user)}</Username><Password><Value>${xml(password)}</Value><PlainText>true</PlainText></Password></AutoLogon>
      <FirstLogonCommands>
        <SynchronousCommand wcm:action="add"><Order>1</Order><RequiresUserInput>false</RequiresUserInput>
          <CommandLine>cmd /c for %d in (D E F G H) do if exist %d:\\culvert\\setup.ps1 powershell -NoProfile -ExecutionPolicy Bypass -File %d:\\culvert\\setup.ps1</CommandLine></SynchronousCommand>
      </FirstLogonCommands>
    </component>
  </settings>
</unattend>
`;
}

/** What the first logon runs. Each part may fail for itself; its log is C:\\culvert-setup.log, and the machine switches itself off at the end. */
export function setupScript({ publicKey }: Pick<UnattendSettings, "publicKey">): string {
  return `# Makes this Windows fit for the Culvert lab: guest agent, sshd, EMS, no sleep, no updates.
Start-Transcript C:\\culvert-setup.log
$here = $PSScriptRoot
function Attempt($what, [scriptblock]$work) { try { Write-Output "== $what"; & $work } catch { Write-Output "FAILED: $what: $_" } }

Attempt 'virtio drivers' { Get-ChildItem "$here\\virtio" -Recurse -Filter *.inf -ErrorAction Stop | ForEach-Object { pnputil.exe /add-driver $_.FullName /install } }
Attempt 'guest agent' {
  $msi = Get-ChildItem "$here\\virtio" -Recurse -Filter 'qemu-ga-x86_64.msi' -ErrorAction Stop | Select-Object -First 1
  if ($null -eq $msi) { throw 'there is no qemu-ga-x86_64.msi on the disc' }
  Start-Process msiexec.exe -Wait -ArgumentList '/i', "\`"$($msi.FullName)\`"", '/qn', '/norestart'
  Set-Service QEMU-GA -StartupType Automatic
}
Attempt 'OpenSSH' {
  Add-WindowsCapability -Online -Name OpenSSH.Server~~~~0.0.1.0 -ErrorAction Stop
  Set-Service sshd -StartupType Automatic
  Start-Service sshd
  $keys = "$env:ProgramData\\ssh\\administrators_authorized_keys"
  Set-Content $keys '${publicKey.replaceAll("'", "''")}'
  icacls.exe $keys /inheritance:r /grant 'Administrators:F' 'SYSTEM:F'
  New-NetFirewallRule -Name culvert-sshd -DisplayName 'sshd' -Protocol TCP -LocalPort 22 -Action Allow
}
Attempt 'EMS' {
  Add-WindowsCapability -Online -Name Windows.Desktop.EMS-SAC.Tools~~~~0.0.1.0 -ErrorAction SilentlyContinue
  bcdedit.exe /emssettings EMSPORT:1 EMSBAUDRATE:115200
  bcdedit.exe /ems '{current}' on
}
Attempt 'power' { powercfg.exe /change standby-timeout-ac 0; powercfg.exe /change monitor-timeout-ac 0; powercfg.exe /hibernate off }
Attempt 'updates' {
  New-Item -Force 'HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU' | Out-Null
  Set-ItemProperty 'HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU' NoAutoUpdate 1
}
Attempt 'passwords' { Get-LocalUser | Set-LocalUser -PasswordNeverExpires $true }
Stop-Transcript
Stop-Computer -Force
`;
}

/** Text inside an XML element. */
export function xml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
