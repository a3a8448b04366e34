import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** The reason of a test that is skipped, in CI as well, for want of a program that nobody can install by a package. */
export const IN_NO_PACKAGE = 'in no package, and not on the PATH'

/** What happened, check by check and test by test. */
export class Tally {
  passed = 0
  readonly failed: string[] = []
  readonly skipped: { readonly name: string; readonly reason: string }[] = []

  /** In CI nothing may be skipped that a package could bring. */
  ok(ci: boolean): boolean {
    if (this.failed.length > 0 || this.passed === 0) return false
    return !ci || this.skipped.every(({ reason }) => reason.endsWith(IN_NO_PACKAGE))
  }

  /** The last line names the counts and nothing else, so that a script can read it. */
  summary(): string {
    const lines = [
      ...this.skipped.map(({ name, reason }) => `skipped: ${name} (${reason})`),
      ...this.failed.map((name) => `FAILED: ${name}`),
      `${this.passed} passed, ${this.failed.length} failed, ${this.skipped.length} skipped`,
    ]
    return lines.join('\n')
  }
}

/** Counts what vitest reports. A file that cannot be loaded and an error outside of any test count as failures. */
export function counting(tally: Tally): Reporter {
  return {
    onTestCaseResult: (test: TestCase) => count(test, tally),
    onTestRunEnd: (modules, errors) => {
      for (const module of modules) countModule(module, tally)
      for (const error of errors) tally.failed.push(`outside of any test: ${error.message}`)
    },
  }
}

function count(test: TestCase, tally: Tally): void {
  const name = `${test.module.relativeModuleId} > ${test.fullName}`
  const result = test.result()
  if (result.state === 'passed') tally.passed++
  if (result.state === 'failed') tally.failed.push(name)
  if (result.state === 'skipped') tally.skipped.push({ name, reason: result.note ?? 'no reason given' })
}

function countModule(module: TestModule, tally: Tally): void {
  for (const error of module.errors()) tally.failed.push(`${module.relativeModuleId}: ${error.message}`)
  for (const suite of module.children.allSuites()) {
    for (const error of suite.errors()) {
      tally.failed.push(`${module.relativeModuleId} > ${suite.fullName}: ${error.message}`)
    }
  }
  if (module.state() === 'pending' || module.state() === 'queued') {
    tally.failed.push(`${module.relativeModuleId} did not finish`)
  }
}
