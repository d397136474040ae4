// Jobs of the team in VS Code, by the same command line as in a terminal; and notes of whether somebody works here.
"use strict";

const { execFile } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const vscode = require("vscode");

// The Python that this server was started with: a login shell, whose PATH VS Code takes over, may know another one.
const PYTHON = process.env.AIFACTORY_PYTHON || "python3";
const MAIN = ["-c", "from aifactory_hub.cli import main; main()"];
const NOTE_EVERY = 10000; // Milliseconds, as all times here.
const REFRESH_EVERY = 10000;
const OVER = new Set(["SUCCEEDED", "FAILED", "CANCELLED"]);
// Documents that people write; others, such as logs and settings, change by themselves.
const EDITED = new Set(["file", "untitled", "vscode-notebook-cell"]);
const ICONS = { SUCCEEDED: "pass", FAILED: "error", CANCELLED: "circle-slash", RUNNING: "sync~spin", HELD: "question" };

/** What the command prints; rejects with what it says of a failure. */
function run(args, cwd) {
  return new Promise((resolve, reject) => {
    execFile(PYTHON, [...MAIN, ...args], { cwd, maxBuffer: 32 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error) {
        reject(new Error(stderr.trim() || error.message));
      } else {
        resolve(stdout);
      }
    });
  });
}

/** The newest jobs of the team, newest first. */
class Jobs {
  constructor() {
    this.changed = new vscode.EventEmitter();
    this.onDidChangeTreeData = this.changed.event;
  }

  refresh() {
    this.changed.fire();
  }

  getTreeItem(job) {
    const item = new vscode.TreeItem(job.error || job.name || job.id);
    if (job.error) {
      item.iconPath = new vscode.ThemeIcon("warning");
      item.tooltip = job.error;
      return item;
    }
    item.id = job.id;
    item.description = `${job.state.toLowerCase()} · ${job.profile}`;
    item.tooltip = [job.id, job.owner, job.reason].filter(Boolean).join("\n");
    item.iconPath = new vscode.ThemeIcon(ICONS[job.state] || "clock");
    item.contextValue = OVER.has(job.state) ? "over" : "runs";
    item.command = { command: "aifactoryHub.log", title: "Show the Log", arguments: [job] };
    return item;
  }

  async getChildren() {
    try {
      return JSON.parse(await run(["job", "list", "--json", "--limit", "50"]));
    } catch (error) {
      return [{ error: error.message }];
    }
  }
}

/** Logs as documents that can't be changed; one that is open again is read again. */
class Logs {
  constructor() {
    this.changed = new vscode.EventEmitter();
    this.onDidChange = this.changed.event;
  }

  async provideTextDocumentContent(uri) {
    try {
      return await run(["job", "logs", uri.query]);
    } catch (error) {
      return error.message;
    }
  }
}

async function submit(uri, jobs) {
  const file = uri || (vscode.window.activeTextEditor && vscode.window.activeTextEditor.document.uri);
  if (!file || file.scheme !== "file") {
    vscode.window.showWarningMessage("Open the file or notebook that is to be submitted first.");
    return;
  }
  await vscode.workspace.saveAll();
  const folder = path.dirname(file.fsPath);
  const name = path.basename(file.fsPath);
  const programs = { ".py": ["python", name], ".sh": ["sh", name] };
  const command = programs[path.extname(name)] || [name];
  try {
    const said = await run(["job", "submit", "--json", "--name", name, "--", ...command], folder);
    const job = JSON.parse(said);
    jobs.refresh();
    const look = await vscode.window.showInformationMessage(`${name} was submitted as ${job.id}.`, "Show the Log");
    if (look) {
      await showLog(job);
    }
  } catch (error) {
    vscode.window.showErrorMessage(error.message);
  }
}

async function showLog(job) {
  const uri = vscode.Uri.from({ scheme: "aifactory-log", path: `${job.name || job.id}.log`, query: job.id });
  logs.changed.fire(uri);
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: true });
}

async function cancel(job, jobs) {
  try {
    await run(["job", "cancel", job.id]);
  } catch (error) {
    vscode.window.showErrorMessage(error.message);
  }
  jobs.refresh();
}

const logs = new Logs();

/** Writes what a person or a program does here. A window that is only open is no work, so it writes no time of use. */
class Note {
  constructor(file) {
    this.file = file;
    this.edited = 0;
    this.cells = new Set();
  }

  touch() {
    this.edited = Date.now() / 1000;
  }

  write() {
    const now = Date.now() / 1000;
    const note = {
      at: now,
      edited: this.edited,
      tasks: vscode.tasks.taskExecutions.map((each) => each.task.name),
      debugging: vscode.debug.activeDebugSession !== undefined,
      cells: this.cells.size > 0,
    };
    const half = `${this.file}.half`;
    fs.writeFileSync(half, JSON.stringify(note));
    fs.renameSync(half, this.file);
  }

  /** Which cells run, from the summaries of their executions: one without an end is under way. */
  follow(event) {
    for (const change of event.cellChanges) {
      const summary = change.executionSummary;
      if (summary === undefined) {
        continue;
      }
      const key = change.cell.document.uri.toString();
      if (summary && summary.timing === undefined && summary.success === undefined) {
        this.cells.add(key);
      } else {
        this.cells.delete(key);
      }
    }
  }
}

function activate(context) {
  const jobs = new Jobs();
  const register = (name, call) => context.subscriptions.push(vscode.commands.registerCommand(name, call));
  context.subscriptions.push(vscode.window.registerTreeDataProvider("aifactoryHub.jobs", jobs));
  context.subscriptions.push(vscode.workspace.registerTextDocumentContentProvider("aifactory-log", logs));
  register("aifactoryHub.submit", (uri) => submit(uri, jobs));
  register("aifactoryHub.refresh", () => jobs.refresh());
  register("aifactoryHub.log", (job) => showLog(job));
  register("aifactoryHub.cancel", (job) => cancel(job, jobs));
  const refresh = setInterval(() => vscode.window.state.focused && jobs.refresh(), REFRESH_EVERY);
  context.subscriptions.push({ dispose: () => clearInterval(refresh) });

  const file = process.env.AIFACTORY_ACTIVITY_NOTE;
  if (!file) {
    return;
  }
  const note = new Note(file);
  const touch = () => note.touch();
  context.subscriptions.push(
    vscode.workspace.onDidChangeTextDocument((event) => EDITED.has(event.document.uri.scheme) && event.contentChanges.length && touch()),
    // Undefined where a program moved it, such as when a window opens its files again.
    vscode.window.onDidChangeTextEditorSelection((event) => event.kind !== undefined && touch()),
    vscode.workspace.onDidSaveTextDocument((document) => EDITED.has(document.uri.scheme) && touch()),
    vscode.window.onDidStartTerminalShellExecution(touch),
    vscode.debug.onDidStartDebugSession(touch),
    vscode.workspace.onDidChangeNotebookDocument((event) => {
      note.follow(event);
      touch();
    }),
  );
  const every = setInterval(() => {
    try {
      note.write();
    } catch (error) {
      console.error(error);
    }
  }, NOTE_EVERY);
  context.subscriptions.push({ dispose: () => clearInterval(every) });
  note.write();
}

module.exports = { activate, deactivate() {} };
