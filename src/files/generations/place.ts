import type { Stats } from 'node:fs'
import type { Clock } from '../../core/clock.ts'
import { type FileCalls, setModified } from '../../lib/file-calls.ts'
import { type FolderInside, withFolderInside } from '../../lib/inside.ts'
import { syncDescriptor } from '../../lib/quick-file.ts'
import { blocked, isAbsent } from '../io/faults.ts'
import { exchange } from './exchange.ts'
import { FORMER_ID, type Generation, generationName, type GroupLayout, linkedFrom, linkTo } from './layout.ts'

/** Where a group is visible: a link, once it has a generation. */
export class Place {
  readonly #root: string
  readonly #layout: GroupLayout
  readonly #clock: Clock
  readonly #calls: FileCalls

  constructor(root: string, layout: GroupLayout, clock: Clock, calls: FileCalls) {
    this.#root = root
    this.#layout = layout
    this.#clock = clock
    this.#calls = calls
  }

  async current(): Promise<Generation | undefined> {
    const { above, name } = this.#layout
    try {
      return await withFolderInside(this.#root, above, { calls: this.#calls }, async ({ path }) =>
        linkedFrom(this.#layout, await this.#calls.readlink(`${path}/${name}`)),
      )
    } catch (error) {
      // EINVAL: there is something, and it is no link.
      if (isAbsent(error) || (error as NodeJS.ErrnoException).code === 'EINVAL') return undefined
      throw error
    }
  }

  /** Makes the place a link to the generation, whatever generation or folder it was before. */
  async put(generation: Generation): Promise<void> {
    const { above, name, onItsWay } = this.#layout
    await withFolderInside(this.#root, above, { calls: this.#calls, make: true }, async (folder) => {
      const [place, link] = [`${folder.path}/${name}`, `${folder.path}/${onItsWay}`]
      const before = await this.#look(place)
      if (before !== undefined && !before.isDirectory() && !(await this.#isOurs(place)))
        throw blocked(this.#layout.place)
      await this.#unlinkIfThere(link)
      await this.#calls.symlink(linkTo(this.#layout, generation), link)
      if (before?.isDirectory() !== true) await this.#calls.rename(link, place)
      else if (await exchange(folder.path, name, onItsWay)) await this.#keepFormer(folder, onItsWay)
      else {
        // Durable before the folder goes: whoever comes after a crash finds what was to come in its place.
        await syncDescriptor(folder.descriptor)
        await this.#keepFormer(folder, name)
        await this.#calls.rename(link, place)
      }
      await syncDescriptor(folder.descriptor)
    })
  }

  /** A generation is visible no longer: from now on its age counts. */
  async touch(folder: string): Promise<void> {
    await withFolderInside(this.#root, folder, { calls: this.#calls }, async ({ descriptor }) =>
      setModified(descriptor, this.#clock.nowMs(), this.#calls),
    )
  }

  /** After a crash: the place is what it was before a flip, or what the flip made of it. */
  async recover(): Promise<void> {
    const { above, name, onItsWay } = this.#layout
    try {
      await withFolderInside(this.#root, above, { calls: this.#calls }, async (folder) => {
        const [place, left] = [`${folder.path}/${name}`, `${folder.path}/${onItsWay}`]
        const remains = await this.#look(left)
        if (remains === undefined) return
        if (remains.isDirectory()) await this.#keepFormer(folder, onItsWay)
        else if ((await this.#look(place)) === undefined && (await this.#isOurs(left)))
          await this.#calls.rename(left, place)
        else await this.#calls.unlink(left)
        await syncDescriptor(folder.descriptor)
      })
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
  }

  /** The folder that was there before all generations becomes the oldest of them. */
  async #keepFormer(from: FolderInside, name: string): Promise<void> {
    const { folder } = this.#layout
    await withFolderInside(this.#root, folder, { calls: this.#calls, make: true }, async (generations) => {
      for (let number = 0; ; number++) {
        const former = `${generations.path}/${generationName(number, FORMER_ID)}`
        if ((await this.#look(former)) !== undefined) continue
        await this.#calls.rename(`${from.path}/${name}`, former)
        await syncDescriptor(generations.descriptor)
        await this.touch(`${folder}/${generationName(number, FORMER_ID)}`)
        return
      }
    })
  }

  async #isOurs(path: string): Promise<boolean> {
    try {
      return linkedFrom(this.#layout, await this.#calls.readlink(path)) !== undefined
    } catch {
      return false
    }
  }

  async #unlinkIfThere(path: string): Promise<void> {
    if ((await this.#look(path)) !== undefined) await this.#calls.unlink(path)
  }

  async #look(path: string): Promise<Stats | undefined> {
    try {
      return await this.#calls.lstat(path)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }
}
