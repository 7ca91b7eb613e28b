/** Public keys that ssh-keygen of OpenSSH 9.2 made; their private keys are gone. */

export const ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILRyQ3neQYdjVVF7QPWbVAFMu/UtnWQhkjgW6mVMFaoI";
export const RSA_2048 =
  "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQClcP1Rc04hOM92JAeD9Ux9WjZMcB6S3qQNbAnTvVj09+RfwrrtsPMDCcDUuGlIbs+AkTAhgVkIyjmDDAcZqYr498Fq6KCjNcCPcoQuIiqqF0hhm7FTr7ApLeDPAL7uuldjonQ/OdHOqj8u2VCb5bG+WG7FVZ6EyO9thX6mrxtT6rsXfOvh6jSNnjgLaWuy+NMVEfjtGo+fZiRSVKHsTzOV4m+ayBOS+M9fu0laSqhDRdi0xzIHKv5gvG+WCkSbXAoab1ia9ovMctbH6fBdKve9+gaCEVBGZ6frG+/CeGMNbraSv4J1yMQqAsLuaDcAwoVtZuU2zE81bgL+vXSguT+J";
export const RSA_1024 =
  "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC8ejdOfK8VBHgq5uPJPU0iH0h1046pAVydfhgYN+k58qIATJIhdHP1Vb/sEyeTQnmSw3x4COlLNaTr0dkyaQu/lIHPUPiqE56eULxftzXAvGXM2d+GxXB7oYVeD3OPIqxvp5anI1jiD8Edig4xSC+6LZ76k/1Pc30p4G9NO3U0Ew==";
export const NISTP256 =
  "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBOBXxviQAyR+ggAUWeZPsHm0EO4OvoYsbKeXrMVW4xSbVbs9m4C1enXub47F5zA1dgIw4tdoKuzf1I/bhvqums4=";
export const NISTP384 =
  "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBAkYtyJx7SoKNuf3CmrnvXyXbhVJWvYBsJC3f/I5PSJQnyz8OunyH1WG8HLcXLAJ/3GIx0T65g05wobdi7cyMR9m8S+G7VGFx4hbPVYhd5BnUALO2efyy1/G24lGsub1+Q==";
export const NISTP521 =
  "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAH1HErjEj1QC0kfyNXiu/XJn0/6r/ahw/o8oG982oz1Q3YqhuRJOiuGs4vgPUhpFYzM2nb/exWKdFT5+58614oOHAGhc4cbB6B4f+r+OvU/kT61FmOM0nooD4VzVioZSpTX3h5eJMYas6r9yAl8wEixLR6BRkNt477lPUTG8QRSROYDww==";
/** What `ssh-keygen -l` says of ED25519. */
export const ED25519_FINGERPRINT = "SHA256:jcdiAwqSxzcKupkfcmPvUE2Bi01XSl1ji/9ZjRrzavk";
