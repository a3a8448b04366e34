import * as fs from 'node:fs'
import { statfs } from 'node:fs/promises'
import { promisify } from 'node:util'
import { syncDescriptor } from './quick-file.ts'
import { isInMemory, isRemote } from './remote-file-systems.ts'

/** An answer that is there at once, or will be. */
export type Answer<T> = T | Promise<T>

/** What is asked of a file system, by descriptor and path. Wait for every answer: whether one is needed depends on the file system. */
export interface FileCalls {
  open(path: string, flags: number, mode?: number): Answer<number>
  close(descriptor: number): Answer<void>
  fstat(descriptor: number): Answer<fs.Stats>
  lstat(path: string): Answer<fs.Stats>
  /** As `lstat`; undefined where there is nothing. Costs less than a failure. */
  find(path: string): Answer<fs.Stats | undefined>
  read(descriptor: number, into: Uint8Array, position: number): Answer<number>
  write(descriptor: number, bytes: Uint8Array, position: number | null): Answer<number>
  futimes(descriptor: number, atime: number, mtime: number): Answer<void>
  readlink(path: string): Answer<string>
  symlink(target: string, path: string): Answer<void>
  link(from: string, to: string): Answer<void>
  mkdir(path: string, mode: number): Answer<void>
  rmdir(path: string): Answer<void>
  unlink(path: string): Answer<void>
  rename(from: string, to: string): Answer<void>
  /** Resolves when the file or folder is durable. */
  sync(descriptor: number): Answer<void>
}

/** Node takes the present for a number that is before 1970, and a text for what it says. */
function told(seconds: number): number | string {
  return seconds < 0 ? String(seconds) : seconds
}

/** Made in place: on a local disk a call takes microseconds, and handing it to a thread and back ten times as long. */
export const localCalls: FileCalls = {
  open: fs.openSync,
  close: fs.closeSync,
  fstat: (descriptor) => fs.fstatSync(descriptor),
  lstat: (path) => fs.lstatSync(path),
  find: (path) => fs.lstatSync(path, { throwIfNoEntry: false }),
  read: (descriptor, into, position) => fs.readSync(descriptor, into, 0, into.byteLength, position),
  write: (descriptor, bytes, position) => fs.writeSync(descriptor, bytes, 0, bytes.byteLength, position),
  futimes: (descriptor, atime, mtime) => fs.futimesSync(descriptor, told(atime), told(mtime)),
  readlink: (path) => fs.readlinkSync(path),
  symlink: (target, path) => fs.symlinkSync(target, path),
  link: fs.linkSync,
  mkdir: (path, mode) => fs.mkdirSync(path, { mode, recursive: false }),
  rmdir: (path) => fs.rmdirSync(path),
  unlink: fs.unlinkSync,
  rename: fs.renameSync,
  sync: syncDescriptor,
}

/** What lies in memory does not outlast a power loss, whatever is done: nothing is waited for. */
const memoryCalls: FileCalls = { ...localCalls, sync: () => undefined }

const read = promisify(fs.read)
const write = promisify(fs.write)
const futimes = promisify(fs.futimes)

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}

/** Made in threads: another machine answers, and nothing else must wait for it. */
export const remoteCalls: FileCalls = {
  open: promisify(fs.open),
  close: promisify(fs.close),
  fstat: promisify(fs.fstat),
  lstat: promisify(fs.lstat),
  find: async (path) => fs.promises.lstat(path).catch(absent),
  read: async (descriptor, into, position) => (await read(descriptor, into, 0, into.byteLength, position)).bytesRead,
  write: async (descriptor, bytes, position) =>
    (await write(descriptor, bytes, 0, bytes.byteLength, position)).bytesWritten,
  futimes: async (descriptor, atime, mtime) => futimes(descriptor, told(atime), told(mtime)),
  readlink: async (path) => fs.promises.readlink(path),
  symlink: async (target, path) => fs.promises.symlink(target, path),
  link: promisify(fs.link),
  mkdir: async (path, mode) => fs.promises.mkdir(path, { mode, recursive: false }),
  rmdir: async (path) => fs.promises.rmdir(path),
  unlink: promisify(fs.unlink),
  rename: promisify(fs.rename),
  sync: syncDescriptor,
}

/** The end of 2261, and as long before 1970: nanoseconds of some file systems end a year later. */
const LATEST_MS = 9_214_646_399_000

/** How the file system that `folder` lies on is best asked. */
export async function callsFor(folder: string): Promise<FileCalls> {
  const { type } = await statfs(folder)
  if (isRemote(type)) return remoteCalls
  return isInMemory(type) ? memoryCalls : localCalls
}

/** Whether it is quick to ask, one call after the other. */
export function isInPlace(calls: FileCalls): boolean {
  return calls === localCalls || calls === memoryCalls
}

/** Sets when the content was changed last; a time that the file system cannot hold becomes the nearest that it can. */
export async function setModified(
  descriptor: number,
  modifiedMs: number,
  calls: FileCalls = localCalls,
): Promise<void> {
  if (Number.isNaN(modifiedMs)) return
  const seconds = Math.min(Math.max(modifiedMs, -LATEST_MS), LATEST_MS) / 1000
  await calls.futimes(descriptor, seconds, seconds)
}
