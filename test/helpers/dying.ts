import { mkdirSync, renameSync, rmSync } from 'node:fs'
import type { Target } from '../../src/core/target.ts'

class Crash extends Error {}

/** How an agent dies in a step: before what `apply` does, after it, or in between. */
export type Death = (apply: () => Promise<void>) => Promise<void>

export const beforeTheStep: Death = async () => await Promise.resolve()
export const afterTheStep: Death = async (apply) => await apply()

/** Dies at the `nth` step of its life. */
export function dyingAt<P, A, S>(target: Target<P, A, S>, nth: number, death: Death): Target<P, A, S> {
  let steps = 0
  return {
    kind: target.kind,
    prepare: async (release, op) => await target.prepare(release, op),
    observe: async (prepared, op) => await target.observe(prepared, op),
    plan: (prepared, actual) => target.plan(prepared, actual),
    report: (prepared, actual) => target.report(prepared, actual),
    apply: async (step, op) => {
      steps += 1
      if (steps !== nth) return await target.apply(step, op)
      await death(async () => await target.apply(step, op))
      throw new Crash()
    },
  }
}

/** Whether that life came to its end before the step at which it would have died. */
export async function survived(life: Promise<unknown>): Promise<boolean> {
  try {
    await life
    return true
  } catch (error) {
    if (error instanceof Crash) return false
    throw error
  }
}

/** Carries out a step while its state file cannot be replaced. Answers whether the step failed for that. */
export async function unremembered(stateFile: string, apply: () => Promise<void>): Promise<boolean> {
  const aside = `${stateFile}.aside`
  renameSync(stateFile, aside)
  // A folder in its place.
  mkdirSync(stateFile)
  const failed = await apply().then(
    () => false,
    () => true,
  )
  rmSync(stateFile, { recursive: true })
  renameSync(aside, stateFile)
  return failed
}
