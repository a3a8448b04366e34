import type { FileCalls } from '../../src/lib/file-calls.ts'

/** File operations of a process that is killed at the nth of them: neither it nor any later one does anything. */
export function dyingCalls(calls: FileCalls, nth: number): FileCalls & { readonly isDead: () => boolean } {
  let count = 0
  const step = <A extends unknown[], R>(call: (...args: A) => R): ((...args: A) => R) => {
    return (...args) => {
      count += 1
      if (count >= nth) throw new Error('killed')
      return call(...args)
    }
  }
  return {
    isDead: () => count >= nth,
    // Reading harms nobody: only steps that leave something behind are counted.
    open: step((path, flags, mode) => calls.open(path, flags, mode)),
    close: (descriptor) => calls.close(descriptor),
    fstat: (descriptor) => calls.fstat(descriptor),
    lstat: (path) => calls.lstat(path),
    find: (path) => calls.find(path),
    read: (descriptor, into, position) => calls.read(descriptor, into, position),
    write: step((descriptor, bytes, position) => calls.write(descriptor, bytes, position)),
    futimes: step((descriptor, atime, mtime) => calls.futimes(descriptor, atime, mtime)),
    readlink: (path) => calls.readlink(path),
    symlink: step((target, path) => calls.symlink(target, path)),
    link: step((from, to) => calls.link(from, to)),
    mkdir: step((path, mode) => calls.mkdir(path, mode)),
    rmdir: step((path) => calls.rmdir(path)),
    unlink: step((path) => calls.unlink(path)),
    rename: step((from, to) => calls.rename(from, to)),
    sync: (descriptor) => calls.sync(descriptor),
  }
}
