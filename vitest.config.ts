import { defineConfig } from 'vitest/config'

const project = (name: string, include: readonly string[]) => ({
  extends: true as const,
  test: { name, include: [...include] },
})

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      project('unit', ['src/**/*.test.ts', 'standin/**/*.test.ts', 'scripts/**/*.test.ts', 'test/*.test.ts']),
      project('contract', ['test/contract/*.test.ts']),
      project('sim', ['test/sim/*.test.ts']),
      project('e2e', ['test/e2e/*.test.ts']),
    ],
  },
})
