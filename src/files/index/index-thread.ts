import { parentPort } from 'node:worker_threads'
import { systemClock } from '../../lib/system-clock.ts'
import { Hasher } from './hasher.ts'
import type { Asked, Tell } from './thread-messages.ts'
import { ThreadTree } from './thread-tree.ts'
import { keepCompiled } from '../../lib/keep-compiled.ts'

/** Entry of the thread that follows folders: takes `Asked`, answers with `Told`. */

const trees = new Map<number, ThreadTree>()
const hasher = new Hasher(systemClock)

function handle(asked: Asked): void {
  const { tree: number } = asked
  const tell: Tell = (told) => parentPort?.postMessage({ tree: number, ...told }, [])
  if (asked.do === 'open') {
    const tree = ThreadTree.open(asked.settings, { clock: systemClock, hasher, tell })
    if (tree !== undefined) trees.set(number, tree)
    return
  }
  trees.get(number)?.handle(asked)
  if (asked.do === 'close') trees.delete(number)
}

parentPort?.on('message', handle)
keepCompiled()
