"""Small tasks for mteb whose data is made here: nothing is downloaded."""

from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskClassification, AbsTaskClustering, AbsTaskRetrieval, AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata

PAIRS = (
    ("the cat sat on the mat", "a cat sat on a mat", 4.8),
    ("the dog ran in the rain", "a dog is running in rain", 4.5),
    ("cook a tomato soup", "play the guitar", 0.2),
    ("the train leaves the station", "the train is at the station", 3.6),
    ("the sun on the river", "music by the river bank", 1.9),
    ("a guitar plays music", "the cat cooks soup", 0.1),
    ("dogs and cats", "cats and dogs ran", 3.9),
    ("query a bank", "the river bank", 2.2),
)
CORPUS = (
    ("d1", "Cats", "the cat sat on the mat"),
    ("d2", "Dogs", "the dog ran in the rain"),
    ("d3", "", "a soup of tomato is cooked"),
    ("d4", "Trains", "the train leaves the station"),
    ("d5", "Music", "the guitar plays in the sun"),
    ("d6", "", "the river ran by the bank"),
)
QUERIES = (("q1", "cat on a mat"), ("q2", "cooking soup"), ("q3", "running river"))
JUDGMENTS = {"q1": {"d1": 2, "d2": 1}, "q2": {"d3": 1, "d5": 2}, "q3": {"d6": 1, "d2": 2}}
ANIMALS = ("the cat sat", "the dog ran", "cats and dogs", "a dog on the mat", "dog")
TRAVEL = ("the train", "a station", "trains at the station", "the river bank", "train to the sun")


def metadata(kind, main_score):
    return TaskMetadata(
        name=f"Local{kind}",
        description="Made in a test.",
        type=kind,
        main_score=main_score,
        dataset={"path": "local/none", "revision": "1"},
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
    )


class LocalSTS(AbsTaskSTS):
    metadata = metadata("STS", "cosine_spearman")

    def load_data(self, **_):
        first, second, scores = zip(*PAIRS, strict=True)
        pairs = {"sentence1": first, "sentence2": second, "score": scores}
        self.dataset = DatasetDict(test=Dataset.from_dict(pairs))  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
        self.data_loaded = True


class LocalRetrieval(AbsTaskRetrieval):
    metadata = metadata("Retrieval", "ndcg_at_10")

    def load_data(self, **_):
        corpus = [{"id": key, "title": title, "text": text} for key, title, text in CORPUS]
        split = {
            "corpus": Dataset.from_list(corpus),
            "queries": Dataset.from_list([{"id": key, "text": text} for key, text in QUERIES]),
            "relevant_docs": JUDGMENTS,
            "top_ranked": None,
        }
        self.dataset = {"default": {"test": split}}  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
        self.data_loaded = True


class LocalClassification(AbsTaskClassification):
    metadata = metadata("Classification", "accuracy")
    samples_per_label = 3
    n_experiments = 2

    def load_data(self, **_):
        def split(rows):
            texts = [*ANIMALS[rows], *TRAVEL[rows]]
            labels = [0] * (len(texts) // 2) + [1] * (len(texts) // 2)
            return Dataset.from_dict({"text": texts, "label": labels})

        self.dataset = DatasetDict(train=split(slice(3)), test=split(slice(3, None)))  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
        self.data_loaded = True


class LocalClustering(AbsTaskClustering):
    metadata = metadata("Clustering", "v_measure")
    max_fraction_of_documents_to_embed = None
    max_documents_per_cluster = 16
    n_clusters = 2

    def load_data(self, **_):
        data = {"sentences": [ANIMALS[0], TRAVEL[0]] * 8, "labels": [0, 1] * 8}
        self.dataset = DatasetDict(test=Dataset.from_dict(data))  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
        self.data_loaded = True
