"""What the people of the day put into their notebooks."""

# Fits a classifier on scikit-learn's digits and writes the model: what a first job looks like.
TRAIN = """\
import pickle
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
model = LogisticRegression(max_iter=2000).fit(x_train, y_train)
print(f"accuracy: {model.score(x_test, y_test):.4f}", flush=True)
with open("model.pkl", "wb") as file:
    pickle.dump(model, file)
"""

# The cell of the mission: the token in the kernel's environment and nothing else.
SUBMIT_AND_WAIT = """\
import json, pickle
from aifactory_hub.client import submit
job = submit("python train.py", profile="mig-1g.10gb")
job.wait(timeout=240)
model = pickle.loads(job.artifacts["model.pkl"].read())
print("RESULT", json.dumps({"id": job.id, "state": job.state, "logs": job.logs(), "artifacts": sorted(job.artifacts),
                            "model": type(model).__name__, "image": job.image}))
"""

SUBMIT_SLOW = """\
import json
from aifactory_hub.client import submit
job = submit("echo started; sleep 25; echo finished", profile="mig-1g.10gb", files=None)
print("RESULT", json.dumps({"id": job.id}))
"""

# Goes on when its notebook ends, and has something to give back then.
SUBMIT_AND_LEAVE = """\
import json
from aifactory_hub.client import submit
def count(most):
    import time
    for number in range(most):
        print("count", number, flush=True)
        time.sleep(0.5)
    return {"counted": most}
job = submit(count, args={"most": 60}, profile="mig-1g.10gb", files=None)
print("RESULT", json.dumps({"id": job.id}))
"""

# In another server than the one that sent it.
COME_BACK = """\
import json
from aifactory_hub.client import jobs
job = jobs.get("{job}")
print("RESULT", json.dumps({{"state": job.state, "logs": job.logs(), "result": job.result(), "mine": job.id in
                            [each.id for each in jobs.list(mine=True)]}}))
"""

# What a curious kernel tries: another team's job, its own job's neighbours, and a job into another team.
LOOK_ACROSS = """\
import json, os, httpx
base = os.environ["AIFACTORY_SERVICE_URL"].rstrip("/") + "/api/v1"
head = {{"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}}
listed = [job["id"] for job in httpx.get(base + "/jobs", headers=head, timeout=30).json()["jobs"]]
other = httpx.get(base + "/jobs/{job}", headers=head, timeout=30).status_code
logs = httpx.get(base + "/jobs/{job}/logs", headers=head, timeout=30).status_code
forged = 0
try:
    from aifactory_hub.client import SubmitRefused, submit
    submit("true", profile="mig-1g.10gb", tenant="{tenant}", files=None)
except SubmitRefused as refusal:
    forged = refusal.status
users = httpx.get(os.environ["JUPYTERHUB_API_URL"] + "/users", headers=head, timeout=30).status_code
print("RESULT", json.dumps({{"listed": listed, "other": other, "logs": logs, "forged": forged, "users": users}}))
"""

SUBMIT_FOR = """\
import json
from aifactory_hub.client import submit
job = submit("sleep {seconds}; echo finished", profile="mig-1g.10gb", files=None)
print("RESULT", json.dumps({{"id": job.id}}))
"""

# While something is away: taken, or refused in words that a person can read.
SUBMIT_OR_SAY = """\
import json
from aifactory_hub.client import SubmitRefused, submit
taken, refused = "", ""
try:
    taken = submit("sleep {seconds}; echo finished", profile="mig-1g.10gb", files=None).id
except SubmitRefused as refusal:
    refused = str(refusal)
print("RESULT", json.dumps({{"id": taken, "refused": refused}}))
"""
