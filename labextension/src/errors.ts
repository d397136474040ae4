/** What can go wrong with a request. */

/** The service or the Jupyter server said no, in its own words. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly field: string | null = null
  ) {
    super(message);
    this.name = 'Refused';
  }
}

/** Nobody answered: the network, the hub's proxy or this server is away. */
export class Offline extends Error {
  constructor() {
    super('offline');
    this.name = 'Offline';
  }
}

/** The hub answered in place of the server that this page came from: that one does not run. */
export class Stopped extends Error {
  constructor() {
    super('stopped');
    this.name = 'Stopped';
  }
}

/** This page's sign-in is not taken any more: it has ended, or the server is a new one. */
export class SignedOut extends Error {
  constructor() {
    super('signed out');
    this.name = 'SignedOut';
  }
}
