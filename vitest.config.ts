import { defineConfig } from 'vitest/config'

const project = (name: string, include: readonly string[]) => ({
  extends: true as const,
  test: { name, include: [...include] },
})

export default defineConfig({
  test: {
    testTimeout: 20_000,
    // Most of the time they wait: for leases to end, for processes to start, for a broker.
    maxWorkers: 2,
    // A soak can say nothing of it: the projects take only the time of tests from the command line.
    hookTimeout: process.env['FLOTILLA_SOAK'] === '1' ? 3_600_000 : 60_000,
    projects: [
      project('unit', [
        '{src,standin,scripts,bench}/**/*.test.ts',
        'test/*.test.ts',
        'test/{fault,helpers}/**/*.test.ts',
      ]),
      project('contract', ['test/contract/**/*.test.ts']),
      project('sim', ['test/sim/**/*.test.ts']),
      project('e2e', ['test/e2e/**/*.test.ts']),
    ],
  },
})
