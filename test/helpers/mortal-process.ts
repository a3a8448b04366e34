import { type Running, type RunOptions, start } from './program.ts'

/** A program of this repository that a test kills, stops and begins again. */
export class MortalProcess {
  #program: Running | undefined

  protected launch(argv: readonly string[], options: RunOptions, script?: string): Running {
    this.#program = start(argv, options, script)
    return this.#program
  }

  async kill(): Promise<void> {
    this.thaw()
    await this.#program?.stop('SIGKILL')
  }

  freeze(): void {
    this.#program?.child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#program?.child.kill('SIGCONT')
  }
}
