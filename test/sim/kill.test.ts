import { expect, test } from 'vitest'
import { World } from './world.ts'

/*
 * I1, I5: an agent that is killed at any moment of taking up a release, and started again, ends where one ends that was never
 * killed. Every effect the agent has on the world is two moments: before it, and after it, when it does not know.
 */
async function play(killAt: number | undefined): Promise<{ readonly world: World; readonly points: number }> {
  const world = new World({ seed: 11 })
  const machine = world.addMachine('erd1')
  machine.application.start()
  world.startAgent(machine)
  await world.release({ a: '1', b: '1' })
  await world.run(10_000)
  world.kill(machine)
  await world.request('a')
  await world.release({ a: '2', b: '1' })
  await world.run(100)
  world.startAgent(machine, killAt === undefined ? {} : { killAt })
  await world.run(8000)
  const points = machine.process?.life.points ?? 0
  machine.process?.life.spare()
  world.startAgent(machine)
  await world.run(60_000)
  return { world, points }
}

test('killed at any moment of taking up a release, an agent that is started again gets it served', async () => {
  const undisturbed = await play(undefined)
  expect(undisturbed.points).toBeGreaterThan(30)
  for (let killAt = 1; killAt <= undisturbed.points; killAt++) {
    const { world } = await play(killAt)
    const { application, disk } = world.machine('erd1')
    expect({ killAt, violations: world.invariants.violations }).toEqual({ killAt, violations: [] })
    expect({ killAt, served: application.served, file: disk.config?.release }).toEqual({
      killAt,
      served: { a: '2', b: '1' },
      file: 2,
    })
    expect(await world.status()).toBe('IN STEP r2, 1/1 nodes prove it')
    expect([...disk.done.values()]).toHaveLength(1)
  }
})
