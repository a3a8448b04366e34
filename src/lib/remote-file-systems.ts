/**
 * Numbers of file systems whose files others change as well, of which this machine is not told. Source: statfs(2) and the kernel's
 * include/uapi/linux/magic.h; SMB2 and CIFS: fs/smb/common/smbfsctl.h of the kernel.
 */
const REMOTE: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x65735546, // FUSE: sshfs, s3fs, rclone and others
  0x01021997, // 9p
  0x00c36400, // Ceph
  0x5346414f, // AFS
  0x6b414653, // kAFS
  0x73757245, // Coda
  0x01161970, // GFS2
  0x7461636f, // OCFS2
  0x0bd00bd0, // Lustre
  0x47504653, // GPFS
  0x19830326, // BeeGFS
  0x786f4256, // VirtualBox's shared folders
])

/** tmpfs and ramfs. Source: linux/magic.h. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])

/** `type` as `statfs` tells it. */
export function isRemote(type: number): boolean {
  return REMOTE.has(type >>> 0)
}

export function isInMemory(type: number): boolean {
  return IN_MEMORY.has(type >>> 0)
}
