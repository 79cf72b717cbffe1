"""A network for a curve with Lightning, logged by `LightningLogger`; `LightningCallback` pauses, stops and resumes it.

    gradtop exec --resumable -- python fit_lightning.py
"""

import argparse

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

import gradtop


class Curve(lightning.LightningModule):
    def __init__(self, width: int, lr: float):
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Sequential(torch.nn.Linear(1, width), torch.nn.Tanh(), torch.nn.Linear(width, 1))

    def loss(self, batch):
        x, y = batch
        return torch.nn.functional.mse_loss(self.net(x), y)

    def training_step(self, batch, index):
        loss = self.loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()

    x = torch.linspace(-1, 1, 512)[:, None]
    data = TensorDataset(x, torch.sin(3 * x))
    trainer = lightning.Trainer(
        max_epochs=args.epochs,
        accelerator="cpu",
        devices=args.processes,
        strategy="ddp" if args.processes > 1 else "auto",
        logger=gradtop.LightningLogger(),
        callbacks=[gradtop.LightningCallback()],
        log_every_n_steps=1,
        enable_progress_bar=False,
    )
    trainer.fit(
        Curve(32, args.lr),
        DataLoader(data, batch_size=32, shuffle=True),
        DataLoader(data, batch_size=256),
        ckpt_path=gradtop.LightningCallback.checkpoint(),
    )


if __name__ == "__main__":
    main()
