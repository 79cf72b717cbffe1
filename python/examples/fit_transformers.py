"""A network for a curve with the `Trainer` of Hugging Face, logged, paused, stopped and resumed by `HFCallback`.

    gradtop exec --resumable -- python fit_transformers.py
"""

import argparse

import torch
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

import gradtop


class Points(Dataset):
    def __init__(self, n: int):
        self.x = torch.linspace(-1, 1, n)[:, None]

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return {"x": self.x[i], "labels": torch.sin(3 * self.x[i])}


class Curve(torch.nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(1, width), torch.nn.Tanh(), torch.nn.Linear(width, 1))

    def forward(self, x, labels):
        y = self.net(x)
        return {"loss": torch.nn.functional.mse_loss(y, labels), "logits": y}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=float, default=20)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--output", default="curve-checkpoints")
    args = parser.parse_args()

    trainer = Trainer(
        model=Curve(32),
        args=TrainingArguments(
            output_dir=args.output,
            num_train_epochs=args.epochs,
            learning_rate=args.lr,
            per_device_train_batch_size=32,
            logging_steps=1,
            eval_strategy="epoch",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=Points(512),
        eval_dataset=Points(64),
        callbacks=[gradtop.HFCallback()],
    )
    trainer.train(resume_from_checkpoint=gradtop.HFCallback.checkpoint())


if __name__ == "__main__":
    main()
