import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'

/** A thread that does nothing but put a link to `outside` in the place of a folder, of the one in it, and back. */
export function exchanging(folder: string, outside: string): Worker {
  const code = `
    const { renameSync, symlinkSync, unlinkSync, rmSync } = require('node:fs')
    const { workerData: [folder, outside] } = require('node:worker_threads')
    const tried = (call) => { try { call() } catch {} }
    const exchange = (path, target) => {
      tried(() => renameSync(path, path + '.real'))
      tried(() => symlinkSync(target, path))
      tried(() => unlinkSync(path))
      // The one that is looked at may have made it anew meanwhile.
      tried(() => rmSync(path, { recursive: true }))
      tried(() => renameSync(path + '.real', path))
    }
    for (;;) {
      exchange(folder, outside)
      exchange(folder + '/b', outside + '/b')
      exchange(folder + '/b', '../../../../../../../../../../../' + outside)
    }`
  const worker = new Worker(code, { eval: true, workerData: [folder, outside] })
  onTestFinished(async () => void (await worker.terminate()))
  return worker
}
