"""Names and limits that more than one part must agree on, each with its why."""

# Every label, annotation and finalizer of ours carries this prefix, so that nobody else's is ever touched.
PREFIX = "aifactory-hub.io"

LABEL_TENANT = f"{PREFIX}/tenant"
LABEL_OWNER_KIND = f"{PREFIX}/owner-kind"  # one of the next three: what a ticket or pod was taken for
KIND_SERVER = "server"
KIND_JOB = "job"
KIND_DEPLOYMENT = "deployment"  # a release of one: its owner is the release's id
LABEL_OWNER = f"{PREFIX}/owner"  # the server's or job's id, see domain.names
LABEL_USER = f"{PREFIX}/user"  # slug, not the raw user name: label values are restricted
LABEL_PROFILE = f"{PREFIX}/profile"
LABEL_FLAVOR = f"{PREFIX}/flavor"  # the nodes that a ticket counts on: quota is kept by flavor and resource
LABEL_RELEASE = f"{PREFIX}/release-name"  # of the objects of a deployment's release: Services lead to pods by it
LABEL_HUB = f"{PREFIX}/hub"  # which hub made it; two hubs may share one cluster
ANNOTATION_USER = f"{PREFIX}/username"
ANNOTATION_DATABASE = f"{PREFIX}/database"  # the id of the database that knows what a ticket was taken for
ANNOTATION_SEQUENCE = f"{PREFIX}/database-sequence"  # the ticket's number among those of that database
ANNOTATION_RELEASE = f"{PREFIX}/release"  # an administrator said "give it back", with the ticket's uid
ANNOTATION_FILES = f"{PREFIX}/files"  # the manifest digest of the files that a release's pods serve
ANNOTATION_MAX_SECONDS = f"{PREFIX}/max-seconds"  # how long a ticket's run may take: for forecasts

ANNOTATION_ASLEEP = f"{PREFIX}/asleep-since"  # on a control plane that the provisioner put to sleep, epoch seconds

# Kueue leaves a Job alone, and so does the Job controller, when another manager is named (JobManagedBy).
TICKET_MANAGED_BY = f"{PREFIX}/ticket"
# Not "default": Kueue's LocalQueueDefaulting would then queue every pod of the namespace, the vCluster's own too.
LOCAL_QUEUE = "gpu"  # notebooks
JOBS_LOCAL_QUEUE = "gpu-jobs"

# One virtual namespace for notebooks and one for jobs, so that the hub's and the service's credentials
# in a tenant can be disjoint.
NOTEBOOKS_NAMESPACE = "notebooks"
JOBS_NAMESPACE = "jobs"
NOTEBOOKS_SECRET = "hub-notebooks"  # noqa: S105 - the Secret's name
JOBS_SECRET = "hub-jobs"  # noqa: S105 - the Secret's name

HOME_PREFIX = "home-"  # the claim of a person's home volume: this and the person's slug

PRIORITY_NOTEBOOK = "notebook"
PRIORITY_BATCH = "batch"
PRIORITY_DEPLOYMENT = "deployment"
PRIORITY_LOWERED = "batch-lowered"  # a job's, while a budget lets it go after all others
# A job's own priority -> its WorkloadPriorityClass.
JOB_PRIORITIES = {"low": "batch-low", "normal": PRIORITY_BATCH, "high": "batch-high"}
# WorkloadPriorityClass -> value. Every notebook goes before every job: a person waits for it. What answers requests
# comes between the two.
PRIORITIES = {
    PRIORITY_NOTEBOOK: 1000,
    PRIORITY_DEPLOYMENT: 500,
    "batch-high": 200,
    PRIORITY_BATCH: 100,
    "batch-low": 50,
    PRIORITY_LOWERED: 10,
}

# Tells a server after how many seconds without activity the site's culler stops it; set in the hub's configuration.
IDLE_VARIABLE = "AIFACTORY_IDLE_TIMEOUT"

SERVICE_NAME = "aifactory"
# The hub group of everybody who is in a group of approvers, also without a team.
APPROVERS_GROUP = "aifactory-approvers"
SCOPE_SUBMIT = "custom:aifactory:jobs:submit"
SCOPE_READ = "custom:aifactory:jobs:read"
SCOPE_CANCEL = "custom:aifactory:jobs:cancel"
SCOPE_PREDICT = "custom:aifactory:deployments:predict"
JOB_SCOPES = (SCOPE_SUBMIT, SCOPE_READ, SCOPE_CANCEL, SCOPE_PREDICT)
# JupyterHub's own, which its administrators have: it shows the administration page and allows nothing by itself.
SCOPE_PLATFORM = "admin-ui"
SCOPE_MEMBERSHIPS = "custom:aifactory:memberships"  # for the service alone: who belongs where
SCOPE_STOP_IDLE = "custom:aifactory:servers:stop-idle"  # for the service alone: stop what is idle, with a reason

# Files that one job may give back. A list of more helps nobody.
MOST_ARTIFACTS = 1000
