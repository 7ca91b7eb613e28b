/**
 * Drivers that lie ready in images and load when their hardware is found (its `modalias`): what routers and small PCs have. Each
 * name must exist in the kernels of the boards that use the list; Debian builds some for PCs only, or into the kernel.
 */

/**
 * Network cards on PCI and PCI Express, on every machine. Left out are those of 10 Gbit/s and more, which packets through user space
 * do not fill and whose drivers are up to 0.3 MB of a slot each; bnx2, which does nothing without firmware that Debian keeps
 * outside main; and cards older than 64-bit PCs (3c59x, tulip, natsemi, SiS, VIA).
 */
const PCI_NETWORK: readonly string[] = [
  // Intel
  ...["e100", "e1000", "e1000e", "igb", "igc"],
  // Realtek
  ...["r8169", "8139too", "8139cp"],
  // Broadcom, Marvell, Qualcomm Atheros
  ...["tg3", "sky2", "skge", "alx", "atl1", "atl1c", "atl1e", "atl2"],
  // JMicron, and what emulators have
  ...["jme", "pcnet32", "ne2k_pci"],
  "virtio_net",
];

/** Network adapters on USB. */
const USB_NETWORK: readonly string[] = [
  ...["r8152", "ax88179_178a", "asix", "aqc111", "lan78xx", "smsc75xx", "smsc95xx", "rtl8150"],
  ...["dm9601", "mcs7830", "sr9700", "pegasus", "cdc_ether", "cdc_ncm", "cdc_mbim", "rndis_host", "qmi_wwan"],
];

/** Transceivers between a network controller and its socket. */
const PHYS: readonly string[] = [...["realtek", "marvell", "broadcom", "micrel", "smsc", "dp83867"]];

/** USB controllers on PCI, and what they are good for on a router: sticks and disks. */
const PCI_USB: readonly string[] = ["xhci_pci", "ehci_pci", "ohci_pci", "usb_storage", "uas"];

const EVERYWHERE = [...PCI_NETWORK, ...USB_NETWORK, ...PHYS, ...PCI_USB, "virtio_rng"];

export const PC_DRIVERS: readonly string[] = [
  ...EVERYWHERE,
  ...["at803x", "forcedeth"],
  // virtual machines
  ...["vmxnet3", "virtio_console"],
  "uhci_hcd",
  // watchdogs, and the chips that some of them are in
  ...["iTCO_wdt", "lpc_ich", "i2c_i801", "sp5100_tco", "wdat_wdt", "i6300esb"],
];

export const ARM64_DRIVERS: readonly string[] = [
  ...EVERYWHERE,
  // Rockchip, Allwinner, Amlogic, Marvell, NXP, Broadcom
  ...["dwmac_generic", "dwmac_rk", "dwmac_sun8i", "dwmac_sunxi", "dwmac_meson8b", "dwmac_imx", "mvneta", "mvpp2"],
  ...["mvmdio", "fec", "fsl_enetc", "genet", "macb", "smsc911x"],
  // switches
  "mv88e6xxx",
  ...["at803x", "bcm7xxx", "motorcomm", "mdio_mux_meson_g12a", "mdio_mux_mmioreg"],
  // what the controllers need to run: USB, its transceivers, power
  ...["xhci_plat_hcd", "ehci_platform", "ohci_platform", "dwc3", "dwc3_of_simple", "dwc3_meson_g12a"],
  ...["phy_rockchip_inno_usb2", "phy_rockchip_typec", "phy_rockchip_naneng_combphy", "phy_rockchip_pcie"],
  ...["phy_sun4i_usb", "phy_mvebu_a3700_comphy", "phy_mvebu_cp110_comphy", "phy_fsl_imx8mq_usb", "phy_generic"],
  ...["fan53555", "rk808_regulator", "pwm_regulator", "gpio_regulator", "axp20x_i2c", "axp20x_rsb", "axp20x_regulator"],
  ...["i2c_rk3x", "i2c_mv64xxx", "i2c_imx", "i2c_meson", "pwm_rockchip", "io_domain", "reset_raspberrypi"],
  ...["i6300esb", "dw_wdt", "sbsa_gwdt", "imx2_wdt", "sunxi_wdt", "meson_gxbb_wdt", "armada_37xx_wdt", "bcm2835_wdt"],
];

export const MALTA_DRIVERS: readonly string[] = [...EVERYWHERE, "via_rhine", "sis900", "uhci_hcd"];
