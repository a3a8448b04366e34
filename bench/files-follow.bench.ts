import { spawn } from 'node:child_process'
import { createHash, randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { benchFolder, flotilla, serveFiles } from './files.ts'
import type { Bench, Figure } from './figure.ts'

const NODES = 5
const CHANGES = 200
const SIZES = [8 * 1024, 1024 * 1024] as const
const LATE_MS = 30_000

export const bench: Bench = {
  about:
    `A file service and ${NODES} processes of \`flotilla sync --watch\` on one machine, in memory (tmpfs). From the renaming of a file at the source until ` +
    `the last node has it in place; ${CHANGES} changes of each size, one after the other.`,
  run: async (say) => {
    const folder = benchFolder()
    const tree = join(folder, 'tree')
    mkdirSync(tree)
    writeFileSync(join(tree, 'first'), 'x')
    const served = await serveFiles(tree, join(folder, 'state'), 1)
    const copies = Array.from({ length: NODES }, (_, index) => join(folder, `copy${index}`))
    const children = copies.map((to) => {
      mkdirSync(to)
      const [program, args] = flotilla('sync', '--from', served.url, '--to', to, '--watch')
      return spawn(program, args, { stdio: 'ignore' })
    })
    try {
      for (const to of copies) await until(join(to, 'first'), 1)
      const figures: Figure[] = []
      for (const size of SIZES) {
        say(`${size / 1024} KiB …`)
        const times: number[] = []
        for (let change = 0; change < CHANGES; change++) times.push(await oneChange(tree, copies, size, change))
        const sorted = times.toSorted((a, b) => a - b)
        const at = (part: number): number => sorted[Math.ceil(sorted.length * part) - 1] ?? NaN
        const name = `${size / 1024} KiB visible on ${NODES} nodes`
        figures.push({ name: `${name}, p50`, unit: 'ms', ours: [at(0.5)] })
        figures.push({ name: `${name}, p99`, unit: 'ms', ours: [at(0.99)], target: { max: 250 } })
      }
      return figures
    } finally {
      for (const child of children) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      await served.stop()
      rmSync(folder, { recursive: true })
    }
  },
}

async function oneChange(tree: string, copies: readonly string[], size: number, change: number): Promise<number> {
  const name = `f${change % 10}`
  const bytes = randomFillSync(Buffer.alloc(size))
  const before = join(tree, `.flotilla-tmp-${name}`)
  writeFileSync(before, bytes)
  const hash = sha256(bytes)
  const waiting = Promise.all(copies.map(async (to) => await has(to, name, hash)))
  const began = performance.now()
  renameSync(before, join(tree, name))
  await waiting
  const took = performance.now() - began
  await delay(20)
  return took
}

/** Resolves when the file has this content. */
async function has(folder: string, name: string, hash: string): Promise<void> {
  const path = join(folder, name)
  const over = AbortSignal.timeout(LATE_MS)
  const watcher = watch(folder, { signal: over })
  try {
    for (;;) {
      await once(watcher, 'change', { signal: over })
      try {
        if (sha256(readFileSync(path)) === hash) return
      } catch {
        // Not there yet.
      }
    }
  } finally {
    watcher.close()
  }
}

async function until(path: string, size: number): Promise<void> {
  for (const began = Date.now(); ; await delay(50)) {
    try {
      if (statSync(path).size === size) return
    } catch {
      // Not there yet.
    }
    if (Date.now() - began > LATE_MS) throw new Error(`${path} does not come`)
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
